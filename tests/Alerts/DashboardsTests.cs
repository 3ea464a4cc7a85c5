using System.Text.Json;
using System.Text.RegularExpressions;
using Weir.Host.Telemetry;
using Weir.Tests.Support;
using Xunit;

namespace Weir.Tests.Alerts;

/// <summary>The Grafana dashboards of <c>k8s/dashboards</c>: what they ask for exists.</summary>
public sealed partial class DashboardsTests
{
    private static readonly string _directory = RepositoryPaths.Of("k8s", "dashboards");

    // Words of the SQL of weir-system.json that are no columns.
    private static readonly HashSet<string> _words =
    [
        "select", "from", "where", "group", "by", "order", "as", "and", "in", "desc", "limit", "distinct", "weir_system", "process", "time",
        "t", "name",
    ];

    [Theory]
    [InlineData("weir-queues.json")]
    [InlineData("weir-account.json")]
    public void Each_panel_asks_for_metrics_that_there_are(string file)
    {
        using var dashboard = Read(file);
        var targets = Panels(dashboard).Where(panel => panel.TryGetProperty("targets", out _))
            .SelectMany(panel => panel.GetProperty("targets").EnumerateArray(), (panel, target) => (Panel: panel, Target: target)).ToList();

        Assert.True(targets.Count > 10);
        Assert.All(targets, pair => MetricNames.AssertKnown(
            pair.Target.GetProperty("expr").GetString()!, $"{file}, panel {pair.Panel.GetProperty("title").GetString()}"));
    }

    [Fact]
    public void Each_panel_on_weir_system_asks_for_columns_that_there_are()
    {
        var columns = File.ReadLines(Path.Combine(_directory, "weir_system.columns")).Where(line => line[0] != '#')
            .ToDictionary(line => line.Split(": ")[0], line => line.Split(": ")[1].Split(' ').ToHashSet());
        using var dashboard = Read("weir-system.json");
        var targets = Panels(dashboard).Where(panel => panel.TryGetProperty("targets", out _))
            .SelectMany(panel => panel.GetProperty("targets").EnumerateArray());
        foreach (var target in targets)
        {
            var sql = target.GetProperty("rawSql").GetString()!;
            var table = Table().Match(sql).Groups[1].Value;
            Assert.True(columns.TryGetValue(table, out var known), $"No table weir_system.{table}: {sql}");
            var aliases = Alias().Matches(sql).Select(alias => alias.Groups[1].Value).ToHashSet();
            var names = Identifier().Matches(Macro().Replace(sql, " ")).Select(match => match.Value)
                .Where(name => !_words.Contains(name.ToLowerInvariant()) && !aliases.Contains(name) && name != table).ToList();
            Assert.All(names, name => Assert.True(known!.Contains(name), $"weir_system.{table} has no column {name}: {sql}"));
            Assert.True(names.Count > 0 || sql.Contains("(process)", StringComparison.Ordinal), sql);
        }
    }

    [Fact]
    public void The_list_of_columns_is_that_of_the_program_and_a_name_means_one_type()
    {
        var listed = File.ReadLines(Path.Combine(_directory, "weir_system.columns")).Where(line => line[0] != '#');

        Assert.Equal(
            SystemTable.All
                .Select(table => $"{table.Name}: {string.Join(' ', table.Columns.Select(column => column.Name).Except(["time", "process"]))}")
                .Order(StringComparer.Ordinal),
            listed.Order(StringComparer.Ordinal));
        Assert.Equal(SystemTable.StoredColumns.Count, SystemTable.StoredColumns.Select(column => column.Name).Distinct().Count());
    }

    [Theory]
    [InlineData("weir-queues.json", "overwritten", "dropped")]
    [InlineData("weir-account.json", "rejected", "late", "dropped", "overwritten")]
    [InlineData("weir-system.json", "rejected", "late", "dropped", "overwritten")]
    public void Each_dashboard_shows_each_loss_and_every_panel_says_what_it_is(string file, params string[] losses)
    {
        using var dashboard = Read(file);
        var panels = Panels(dashboard);
        var text = dashboard.RootElement.GetRawText();

        Assert.All(losses, loss => Assert.Contains(loss, text, StringComparison.Ordinal));
        Assert.Equal(panels.Count, panels.Select(panel => panel.GetProperty("id").GetInt32()).Distinct().Count());
        Assert.All(panels.Where(panel => panel.GetProperty("type").GetString() != "row"), panel =>
        {
            Assert.NotEmpty(panel.GetProperty("title").GetString()!);
            Assert.NotEmpty(panel.GetProperty("description").GetString()!);

            // Whose Grafana it is, it does not know.
            Assert.Equal("${datasource}", panel.GetProperty("datasource").GetProperty("uid").GetString());
        });
        var boxes = panels.Select(panel => panel.GetProperty("gridPos")).Select(box => (
            X: box.GetProperty("x").GetInt32(),
            Y: box.GetProperty("y").GetInt32(),
            W: box.GetProperty("w").GetInt32(),
            H: box.GetProperty("h").GetInt32())).ToList();
        Assert.All(boxes, box => Assert.True(box.X + box.W <= 24));
        Assert.DoesNotContain(
            boxes.SelectMany((left, index) => boxes.Skip(index + 1).Select(right => (left, right))),
            pair => pair.left.X < pair.right.X + pair.right.W && pair.right.X < pair.left.X + pair.left.W
                && pair.left.Y < pair.right.Y + pair.right.H && pair.right.Y < pair.left.Y + pair.left.H);
    }

    private static JsonDocument Read(string file) => JsonDocument.Parse(File.ReadAllText(Path.Combine(_directory, file)));

    private static List<JsonElement> Panels(JsonDocument dashboard) => [.. dashboard.RootElement.GetProperty("panels").EnumerateArray()];

    [GeneratedRegex(@"FROM weir_system\.(\w+)")]
    private static partial Regex Table();

    [GeneratedRegex(@"\bAS (\w+)")]
    private static partial Regex Alias();

    // Grafana's macros and variables, and texts.
    [GeneratedRegex(@"\$__\w+|\$\{[^}]*\}|'[^']*'")]
    private static partial Regex Macro();

    [GeneratedRegex(@"\b[a-z_]\w*\b(?!\()", RegexOptions.IgnoreCase)]
    private static partial Regex Identifier();
}
