using System.Text.Json;
using Weir.Core.Hashing;
using Weir.Core.Model;
using Weir.Ingest;
using Weir.Tests.Support;
using Xunit;
using Xunit.Abstractions;

namespace Weir.Tests.Drill;

/// <summary>
/// What no machine here can run is computed: 1,000 workers and 10,000 partitions, with the functions that the program routes and cuts by.
/// The figures are those of docs/scaling.md, to the digit.
/// </summary>
public class ScalingLawsTests(ITestOutputHelper output)
{
    private const int Keys = 1_000_000;
    private const int Partitions = 10_000;
    private const int Workers = 1_000;
    private const double ZipfExponent = 1.1;

    private static readonly string _page = File.ReadAllText(RepositoryPaths.Of("docs", "scaling.md"));

    /// <summary>Bytes of a row of the finest view as it is sent.</summary>
    private static readonly double _rowBytes = SentBytes();

    [Fact]
    public void A_keyed_topic_is_as_even_as_its_keys_and_its_hottest_key_is_the_limit()
    {
        var weights = Zipf();
        var partitions = new double[Partitions];
        var keyCounts = new int[Partitions];
        for (var key = 0; key < Keys; key++)
        {
            var partition = JumpHash.BucketOf(TagHash.Combine(1, (ulong)key), Partitions);
            partitions[partition] += weights[key];
            keyCounts[partition]++;
        }

        var workers = new double[Workers];
        for (var partition = 0; partition < Partitions; partition++)
        {
            workers[partition % Workers] += partitions[partition];
        }

        AssertSaid($"has {keyCounts.Max() / ((double)Keys / Partitions):0.0} times the mean number of keys");
        AssertSaid($"the hottest key has {100 * weights[0]:0.0} % of all records: its partition has {partitions.Max() * Partitions:N0} times the mean");
        AssertSaid($"the busiest of 1,000 workers {workers.Max() * Workers:0} times, {workers.Count(load => load > 2.0 / Workers)} more than twice");
        AssertSaid($"1 / {weights[0]:0.000} = {1 / weights[0]:0} times");

        // The hash adds little to what the keys bring: the hottest partition is the hottest key and an ordinary share.
        Assert.InRange(partitions.Max(), weights[0], weights[0] + (20.0 / Partitions));
        Assert.True(keyCounts.Max() < 2 * Keys / Partitions);
        Assert.Equal(1.0, partitions.Sum(), 6);
    }

    [Theory]
    [InlineData(1_000_000, 10)]
    [InlineData(10_000_000, 10)]
    [InlineData(10_000_000, 60)]
    public void An_unkeyed_topic_writes_a_row_for_each_series_and_partition(int flowsPerSecond, int intervalSeconds)
    {
        var weights = Zipf();
        var flows = (double)flowsPerSecond * intervalSeconds;
        var keyed = weights.Sum(weight => 1 - Math.Exp(-flows * weight));
        var unkeyed = Partitions * weights.Sum(weight => 1 - Math.Exp(-flows / Partitions * weight));

        var seconds = (double)intervalSeconds;
        AssertSaid(
            $"| {flowsPerSecond:N0} | {intervalSeconds} s | {keyed:N0} | {unkeyed:N0} | {unkeyed / keyed:0.0} | {flows / keyed:0.0} | {flows / unkeyed:0.00} "
            + $"| {keyed * _rowBytes / seconds / 1e6:0.0} | {unkeyed * _rowBytes / seconds / 1e6:0.0} |\n");
        Assert.InRange(keyed, 1, Keys);
        Assert.InRange(unkeyed, keyed, flows);
    }

    [Theory]
    [InlineData(10)]
    [InlineData(60)]
    [InlineData(300)]
    public void Flushes_of_many_workers_spread_by_themselves(int intervalSeconds)
    {
        const int Views = 4;
        const int Seconds = 600;
        var options = new IngestOptions { FlushInterval = TimeSpan.FromSeconds(intervalSeconds) };
        var random = new Random(20260101);
        var inserts = new int[Seconds];
        for (var worker = 0; worker < Workers; worker++)
        {
            // A worker cuts when its own clock passes a multiple of the interval, as IngestWorker does: its start is its phase.
            var startedAt = TimeSpan.FromSeconds(random.NextDouble() * 3600);
            for (var second = 0; second < Seconds; second++)
            {
                var now = TimeSpan.FromSeconds(7200 + second) - startedAt;
                var ticks = (now.Ticks / options.FlushInterval.Ticks) - ((now - TimeSpan.FromSeconds(1)).Ticks / options.FlushInterval.Ticks);
                inserts[second] += (int)ticks * ((Partitions / Workers * Views) + 1); // And one for the rows of the ledger.
            }
        }

        var mean = inserts.Average();
        AssertSaid($"| {intervalSeconds} s | {mean:N0} | {inserts.Max():N0} | {inserts.Min():N0} |\n");
        Assert.InRange(mean, 0.98 * Workers * 41 / intervalSeconds, 1.02 * Workers * 41 / intervalSeconds);

        // Phases are random, so the peak is that of chance (four standard deviations of a Poisson number of workers), not a stampede.
        var workersASecond = (double)Workers / intervalSeconds;
        Assert.True(inserts.Max() <= 41 * (workersASecond + (5 * Math.Sqrt(workersASecond)) + 1));
    }

    /// <summary>The examples of 'Sizing', by the formulas above them.</summary>
    [Theory]
    [InlineData(100_000, 50_000, 10, 12)]
    [InlineData(1_000_000, 500_000, 10, 24)]
    [InlineData(10_000_000, 1_000_000, 60, 120)]
    [InlineData(100_000_000, 10_000_000, 60, 1_200)]
    public void The_sizing_table_follows_its_formulas(int flowsPerSecond, int series, int intervalSeconds, int partitions)
    {
        const int WorkerFlowsPerSecond = 500_000;
        var views = StandardSchema.Views.Count;
        var workers = Math.Max(2, (int)Math.Ceiling(1.5 * flowsPerSecond / WorkerFlowsPerSecond)); // Two, so that one may be away.
        Assert.True(partitions >= 4 * workers, "Partitions for the most workers that there may ever be.");
        var rows = Math.Min(flowsPerSecond, series / (double)intervalSeconds);
        var inserts = ((partitions * views) + workers) / (double)intervalSeconds;
        AssertSaid(
            $"| {flowsPerSecond:N0} | {series:N0} | {intervalSeconds} s | {partitions:N0} | {workers} | {rows:N0} | {inserts:0.0} |\n");
    }

    [Fact]
    public void The_row_of_the_memory_formula_is_the_row_of_the_finest_view()
    {
        var schema = StreamSchema.Compile(StandardSchema.Views);
        AssertSaid($"{schema.Views[0].KeyBytes + schema.MeterBytes} for `{schema.Views[0].Definition.Name}`");
    }

    private static double SentBytes()
    {
        using var baseline = JsonDocument.Parse(File.ReadAllText(RepositoryPaths.Of("bench", "baseline", "weir-bench.json")));
        return LineOf(baseline.RootElement)!.Value.GetProperty("ours").GetDouble();
    }

    /// <summary>The line flush.bytes.lz4, wherever it stands.</summary>
    private static JsonElement? LineOf(JsonElement element) => element.ValueKind switch
    {
        JsonValueKind.Object when element.TryGetProperty("id", out var id) && id.ValueEquals("flush.bytes.lz4") => element,
        JsonValueKind.Object => element.EnumerateObject().Select(property => LineOf(property.Value)).FirstOrDefault(found => found is not null),
        JsonValueKind.Array => element.EnumerateArray().Select(LineOf).FirstOrDefault(found => found is not null),
        _ => null,
    };

    private static double[] Zipf()
    {
        var weights = Enumerable.Range(1, Keys).Select(rank => Math.Pow(rank, -ZipfExponent)).ToArray();
        var sum = weights.Sum();
        return [.. weights.Select(weight => weight / sum)];
    }

    /// <summary>Prints a figure, and fails unless the page has it.</summary>
    private void AssertSaid(string figure)
    {
        output.WriteLine(figure.TrimEnd());
        Assert.Contains(figure, _page.ReplaceLineEndings("\n"), StringComparison.Ordinal);
    }
}
