using System.Text.Json.Nodes;
using Weir.Tests.Support;
using Weir.Tests.Support.Agents;
using Xunit;

namespace Weir.Tests.Deploy;

/// <summary>What the autoscalers ask Prometheus, answered by Prometheus.</summary>
public sealed class AutoscaleTests : IDisposable
{
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("weir-autoscale-");

    public void Dispose() => _directory.Delete(recursive: true);

    /// <summary>Two workers of the namespace, a sample every 15 s for five minutes, and one of another namespace that counts for nothing.</summary>
    /// <param name="lag">Messages that wait, for each worker.</param>
    /// <param name="pace">Messages that each reads in 15 s.</param>
    /// <param name="writing">Whether ClickHouse takes rows from the second one.</param>
    /// <param name="expected">Seconds; null for no value, which leaves the number of workers as it is.</param>
    [RealPartTheory(RealPart.Prometheus, RealPart.Kubectl)]
    [InlineData(3_000, 1_500, 1, 30.0)] // 6,000 wait, 200 are read each second.
    [InlineData(0, 1_500, 1, 0.0)]
    [InlineData(6_000_000, 1_500, 1, 3_600.0)] // An hour at most: the number of workers would follow it.
    [InlineData(500, 0, 1, 1_000.0)] // Nothing is read at all: as if one message a second were.
    [InlineData(3_000, 1_500, 0, null)]
    public void The_query_is_the_time_for_what_waits_and_nothing_while_clickhouse_takes_no_rows(int lag, int pace, int writing, double? expected)
    {
        var query = Manifests.Render("prod").The("ScaledObject")["spec"]!["triggers"]![0]!["metadata"]!["query"]!.ToString().Trim();
        var series = new JsonArray();
        foreach (var (name, space, isWriting) in new[] { ("weir-0", "weir", 1), ("weir-1", "weir", writing), ("other-0", "other", 0) })
        {
            var labels = $"{{namespace=\"{space}\",instance=\"{name}\",topic=\"flows\"}}";
            series.Add(Series($"weir_ingest_lag_messages{labels}", $"{lag}x20"));
            series.Add(Series($"weir_ingest_messages_total{labels}", $"0+{pace}x20"));
            series.Add(Series($"weir_writer_is_writing{labels}", $"{isWriting}x20"));
        }

        var samples = expected is { } value ? new JsonArray(new JsonObject { ["labels"] = "{}", ["value"] = value }) : [];
        var test = new JsonObject
        {
            ["rule_files"] = new JsonArray(),
            ["tests"] = new JsonArray(new JsonObject
            {
                ["interval"] = "15s",
                ["input_series"] = series,
                ["promql_expr_test"] = new JsonArray(new JsonObject { ["expr"] = query, ["eval_time"] = "5m", ["exp_samples"] = samples }),
            }),
        };
        var file = Path.Combine(_directory.FullName, "test.yaml");
        File.WriteAllText(file, test.ToJsonString()); // JSON is YAML.

        AgentProcess.Run("promtool", "test", "rules", file);
    }

    private static JsonObject Series(string name, string values) => new() { ["series"] = name, ["values"] = values };
}
