using Weir.Bench.Flows;
using Weir.Bench.Measure;
using Weir.Bench.Peers;
using Weir.Bench.Report;

namespace Weir.Bench.Lines;

/// <summary>NS1's structures beside the fold table: puts of a record, and the flush of so many distinct tag sets.</summary>
/// <remarks>
/// The talk's own table is not in the project's facts; what is there (facts/PERFORMANCE.md, 'Fold') is printed: its map took 1.33 µs,
/// 776 B and 12 allocations a metric.
/// </remarks>
internal static class Ns1Lines
{
    private const int RatioSeriesCount = 10_000;
    private const int PutCountMin = 200_000;
    private const string TalkFigures = "The talk's map: 1,330 ns, 776 B, 12 allocations a metric (facts/PERFORMANCE.md; its "
        + "table by size is not in the facts).";

    private static readonly int[] _shapes = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000];

    /// <summary>The group.</summary>
    public static LineGroup Group { get; } = new(
        ["fold.ns1", .. _shapes.SelectMany(count => new[] { $"ns1.put.{count}", $"ns1.flush.{count}" })],
        "NS1's second design / ours at 10 k series; put and flush of 1 to 1,000,000 distinct sets, both designs of NS1 beside ours",
        Run);

    private static IEnumerable<LineResult> Run(BenchContext context)
    {
        context.Log("fold.ns1");
        yield return Ratio(context);
        foreach (var seriesCount in _shapes.Where(count => !context.Plan.IsQuick || count < 1_000_000))
        {
            context.Log($"ns1, {seriesCount:N0} sets");
            foreach (var line in Shape(context, seriesCount))
            {
                yield return line;
            }
        }

        context.Forget();
    }

    private static LineResult Ratio(BenchContext context)
    {
        const int RecordCount = 1 << 18;
        var draw = new ZipfDraw(RatioSeriesCount, FlowSet.Seed);
        var sets = TagSets(RatioSeriesCount);
        var records = Enumerable.Range(0, RecordCount).Select(_ => sets[draw.Next()]).ToArray();
        var map = new Ns1Map();
        using var bed = new FoldBed(RatioSeriesCount, RecordCount);
        bed.Learn();
        var rounds = Rounds.Measure(
            context.Plan,
            RoundClock.ThreadCpu,
            RecordCount,
            new Contender("NS1's second design", () => PutAll(map, records)),
            new Contender("Weir", () => (ulong)bed.FoldTable() * Core.Model.RecordChunk.RecordsMax));
        return new LineResult(
            "fold.ns1",
            "NS1's map and array by last update (C# port of the idea; one sum) / ours (11 sums), 10 k series, zipf 1.1",
            "ns/record")
        {
            Ours = rounds.Nanos(1),
            Peer = rounds.Nanos(0),
            Ratio = rounds.Ratio(0, 1),
            Target = LineTarget.AtLeast(15, 30),
            Note = $"Allocated a record: {rounds.AllocatedBytes(1):F3} B, peer {rounds.AllocatedBytes(0):F0} B. {TalkFigures}",
        };
    }

    /// <summary>All sets once and again until there are enough puts, then one flush of all, on each side.</summary>
    private static IEnumerable<LineResult> Shape(BenchContext context, int seriesCount)
    {
        var sets = TagSets(seriesCount);
        var repeatCount = Math.Max(1, PutCountMin / seriesCount);
        var roundCount = seriesCount == 1_000_000 ? 3 : context.Plan.RoundCount;
        var tree = Median(roundCount, () => PutAndFlush(new Ns1Tree(), sets, repeatCount));
        var map = Median(roundCount, () => PutAndFlush(new Ns1Map(), sets, repeatCount));
        using var bed = new FoldBed([.. Enumerable.Range(0, seriesCount)]);
        var ours = Median(roundCount, () => PutAndFlush(bed, repeatCount));
        yield return new LineResult($"ns1.put.{seriesCount}", $"put into {seriesCount:N0} distinct sets: second design / ours", "ns/record")
        {
            Ours = ours.Put,
            Peer = map.Put,
            Ratio = map.Put / ours.Put,
            Note = $"First design (B-tree): {tree.Put:F0} ns. {(seriesCount == 1 ? TalkFigures : "")}",
        };
        yield return new LineResult($"ns1.flush.{seriesCount}", $"flush of {seriesCount:N0} distinct sets: second design / ours", "ns/set")
        {
            Ours = ours.Flush,
            Peer = map.Flush,
            Ratio = map.Flush / ours.Flush,
            Note = $"First design (B-tree): {tree.Flush:F0} ns. Ours takes the rows out of the table and gives them back.",
        };
    }

    private static (double Put, double Flush) Median(int roundCount, Func<(double Put, double Flush)> run)
    {
        _ = run(); // Warms up.
        using var pin = ThreadPin.ToLast();
        var rounds = Enumerable.Range(0, roundCount).Select(_ => run()).ToArray();
        return (Rounds.Median([.. rounds.Select(round => round.Put)]), Rounds.Median([.. rounds.Select(round => round.Flush)]));
    }

    private static (double Put, double Flush) PutAndFlush(INs1Design design, KeyValuePair<string, string>[][] sets, int repeatCount)
    {
        var from = CpuClock.ThreadNanos();
        for (var repeat = 0; repeat < repeatCount; repeat++)
        {
            _ = PutAll(design, sets);
        }

        var put = CpuClock.ThreadNanos();
        var sum = design.Flush(long.MaxValue);
        var flushed = CpuClock.ThreadNanos();
        return sum == (long)sets.Length * repeatCount
            ? ((put - from) / (double)((long)repeatCount * sets.Length), (flushed - put) / (double)sets.Length)
            : throw new ChecksumException($"NS1's design summed {sum}, not {(long)sets.Length * repeatCount}.");
    }

    private static (double Put, double Flush) PutAndFlush(FoldBed bed, int repeatCount)
    {
        var from = CpuClock.ThreadNanos();
        for (var repeat = 0; repeat < repeatCount; repeat++)
        {
            _ = bed.FoldFresh();
        }

        var put = CpuClock.ThreadNanos();
        var (rowCount, recordsSum) = bed.TakeFresh();
        var flushed = CpuClock.ThreadNanos();
        return recordsSum == (ulong)bed.RecordCount * (ulong)repeatCount
            ? ((put - from) / (double)(bed.RecordCount * repeatCount), (flushed - put) / (double)rowCount)
            : throw new ChecksumException($"The fold table summed {recordsSum} records, not {bed.RecordCount * repeatCount}.");
    }

    private static ulong PutAll(INs1Design design, KeyValuePair<string, string>[][] sets)
    {
        for (var index = 0; index < sets.Length; index++)
        {
            design.Put(sets[index], 1, index);
        }

        return (ulong)sets.Length;
    }

    /// <summary>Tag sets in the talk's words: customer, zone, record, POP.</summary>
    private static KeyValuePair<string, string>[][] TagSets(int count) => [.. Enumerable.Range(0, count).Select(TagSet)];

    private static KeyValuePair<string, string>[] TagSet(int index) =>
    [
        new("customer", $"customer-{index % 1_000}"),
        new("zone", $"zone-{index % 5_000}.example"),
        new("record", $"host-{index}"),
        new("pop", $"pop-{index % 25}"),
        new("type", "A"),
    ];
}
