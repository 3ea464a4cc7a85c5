using System.Text.RegularExpressions;
using Weir.Host.Options;
using Weir.Tests.Support;
using Weir.Tests.Support.Agents;
using Xunit;
using YamlDotNet.RepresentationModel;

namespace Weir.Tests.Alerts;

/// <summary>The rules of <c>k8s/alerts</c>, their tests, and their pages in <c>docs/runbooks</c>.</summary>
public sealed partial class AlertRulesTests
{
    internal static readonly string RulesFile = RepositoryPaths.Of("k8s", "alerts", "weir.rules.yaml");

    private static readonly string _runbooks = RepositoryPaths.Of("docs", "runbooks");
    private static readonly IReadOnlyList<YamlMappingNode> _alerts = ReadAlerts();

    [RealPartFact(RealPart.Prometheus)]
    public void Prometheus_takes_the_rules_and_their_tests_pass()
    {
        var found = AgentProcess.Run("promtool", "check", "rules", RulesFile);
        Assert.Contains($"{_alerts.Count} rules found", found, StringComparison.Ordinal);
        AgentProcess.Run("promtool", "test", "rules", RepositoryPaths.Of("k8s", "alerts", "weir.test.yaml"));
    }

    [Fact]
    public void Each_rule_has_a_test_that_has_it_quiet_and_one_that_has_it_fire()
    {
        var tests = File.ReadAllText(RepositoryPaths.Of("k8s", "alerts", "weir.test.yaml"));
        Assert.All(_alerts, alert =>
        {
            Assert.Contains($"alertname: {Text(alert, "alert")}, exp_alerts: [] }}", tests, StringComparison.Ordinal);
            Assert.Contains($"runbook_url: docs/runbooks/{Text(alert, "alert")}.md", tests, StringComparison.Ordinal);
        });
    }

    [Theory]
    [InlineData("weir_ingest_rejected_records_total")]
    [InlineData("weir_ingest_late_records_total")]
    [InlineData("weir_queue_dropped_records_total")]
    [InlineData("weir_queue_overwritten_records_total")]
    [InlineData("weir_writer_dropped_records_total")]
    public void Each_named_loss_fires_at_one_record_in_a_minute(string counter)
    {
        var expression = Text(Assert.Single(_alerts, alert => Text(alert, "expr").Contains(counter, StringComparison.Ordinal)), "expr");
        Assert.Contains($"increase({counter}[1m])", expression, StringComparison.Ordinal);
        Assert.EndsWith(">= 1", expression.Trim(), StringComparison.Ordinal);
    }

    [Fact]
    public void Each_rule_names_metrics_that_there_are_and_says_how_bad_it_is() => Assert.All(_alerts, alert =>
    {
        MetricNames.AssertKnown(Text(alert, "expr"), Text(alert, "alert"));
        Assert.Contains(Text((YamlMappingNode)alert["labels"], "severity"), (string[])["warning", "critical"]);
        var annotations = (YamlMappingNode)alert["annotations"];
        Assert.NotEmpty(Text(annotations, "summary"));
        Assert.NotEmpty(Text(annotations, "description"));
        Assert.Equal($"docs/runbooks/{Text(alert, "alert")}.md", Text(annotations, "runbook_url"));
    });

    [Fact]
    public void Each_rule_has_a_page_and_each_page_a_rule()
    {
        var pages = Directory.EnumerateFiles(_runbooks, "*.md")
            .Select(Path.GetFileNameWithoutExtension).Where(name => name != "README").Order();
        Assert.Equal(_alerts.Select(alert => Text(alert, "alert")).Order(), pages);
        var index = File.ReadAllText(Path.Combine(_runbooks, "README.md"));
        Assert.All(_alerts, alert => Assert.Contains($"({Text(alert, "alert")}.md)", index, StringComparison.Ordinal));
    }

    [Fact]
    public void Each_page_says_what_it_means_how_to_see_it_and_which_option_to_change()
    {
        var configuration = File.ReadAllText(RepositoryPaths.Of("docs", "configuration.md"));
        var sections = OptionSpecs.All.Select(spec => spec.Path.Split('.')[0]).ToHashSet();
        foreach (var file in Directory.EnumerateFiles(_runbooks, "Weir*.md"))
        {
            var page = File.ReadAllText(file);
            Assert.StartsWith($"# {Path.GetFileNameWithoutExtension(file)}\n", page, StringComparison.Ordinal);
            var headings = Heading().Matches(page).Select(heading => heading.Groups[1].Value);
            Assert.Equal(["What it means", "How to see it", "What to change"], headings);
            var options = Option().Matches(page).Select(option => option.Groups[1].Value)
                .Where(option => sections.Contains(option.Split('.', '[')[0])).ToList();
            Assert.True(options.Count > 0, $"{file} names no option.");
            Assert.All(options, option => Assert.True(
                configuration.Contains($"`{option}`", StringComparison.Ordinal),
                $"{file} names {option}, which docs/configuration.md does not have."));
            Assert.All(MetricName().Matches(page), metric => MetricNames.AssertKnown(metric.Value, file));
        }
    }

    private static IReadOnlyList<YamlMappingNode> ReadAlerts()
    {
        var yaml = new YamlStream();
        using var text = new StreamReader(RulesFile);
        yaml.Load(text);
        return [.. ((YamlSequenceNode)yaml.Documents[0].RootNode["groups"])
            .SelectMany(group => ((YamlSequenceNode)group["rules"]).Cast<YamlMappingNode>())];
    }

    private static string Text(YamlMappingNode node, string key) => ((YamlScalarNode)node[key]).Value!;

    [GeneratedRegex(@"(?m)^## (.+)$")]
    private static partial Regex Heading();

    [GeneratedRegex(@"`([a-z_]+(?:\[\])?(?:\.[a-z_]+(?:\[\])?)+)(?:: [^`]*)?`")]
    private static partial Regex Option();

    [GeneratedRegex(@"weir_(ingest|queue|aggregation|writer|memory)_[a-z_]+")]
    private static partial Regex MetricName();
}
