using System.Globalization;
using Weir.Core.Hashing;
using Weir.Ingest;
using Xunit;
using Xunit.Abstractions;

namespace Weir.Tests.Drill;

/// <summary>
/// What no machine here can run is computed: 1,000 workers and 10,000 partitions, with the functions that the program routes and cuts by.
/// The figures are printed, and stand in docs/scaling.md.
/// </summary>
public class ScalingLawsTests(ITestOutputHelper output)
{
    private const int Keys = 1_000_000;
    private const int Partitions = 10_000;
    private const int Workers = 1_000;
    private const double ZipfExponent = 1.1;

    /// <summary>Bytes of a row of the finest view as it is sent: the line flush.bytes.lz4 of bench/baseline/weir-bench.json.</summary>
    private const double RowBytes = 19.88;

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

        Print("share of the hottest key", weights[0]);
        Print("hottest partition / mean", partitions.Max() * Partitions);
        Print("hottest worker / mean", workers.Max() * Workers);
        Print("keys of a partition, most / mean", keyCounts.Max() / ((double)Keys / Partitions));
        Print("workers above twice the mean", workers.Count(load => load > 2.0 / Workers));
        Print("workers that the hottest key alone allows", 1 / weights[0]);

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

        output.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{flowsPerSecond} flows/s, flush {intervalSeconds} s: rows a flush keyed {keyed:0}, unkeyed {unkeyed:0}, ratio {unkeyed / keyed:0.0}; "
            + $"flows for each row keyed {flows / keyed:0.0}, unkeyed {flows / unkeyed:0.00}; "
            + $"MB/s to ClickHouse keyed {keyed * RowBytes / intervalSeconds / 1e6:0.0}, unkeyed {unkeyed * RowBytes / intervalSeconds / 1e6:0.0}"));

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
        output.WriteLine(string.Create(
            CultureInfo.InvariantCulture, $"flush {intervalSeconds} s: inserts a second mean {mean:0}, most {inserts.Max()}, least {inserts.Min()}"));

        Assert.InRange(mean, 0.98 * Workers * 41 / intervalSeconds, 1.02 * Workers * 41 / intervalSeconds);

        // Phases are random, so the peak is that of chance (four standard deviations of a Poisson number of workers), not a stampede.
        var workersASecond = (double)Workers / intervalSeconds;
        Assert.True(inserts.Max() <= 41 * (workersASecond + (5 * Math.Sqrt(workersASecond)) + 1));
    }

    private static double[] Zipf()
    {
        var weights = Enumerable.Range(1, Keys).Select(rank => Math.Pow(rank, -ZipfExponent)).ToArray();
        var sum = weights.Sum();
        return [.. weights.Select(weight => weight / sum)];
    }

    private void Print(string what, double value) => output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{what}: {value:0.###}"));
}
