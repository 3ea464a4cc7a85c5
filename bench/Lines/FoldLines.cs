using Weir.Bench.Measure;
using Weir.Bench.Report;

namespace Weir.Bench.Lines;

/// <summary>
/// The fold table beside a dictionary of structs, folded by reference: key 48 B, 11 sums, the row of the standard edge
/// view.
/// </summary>
internal static class FoldLines
{
    private const int RecordCount = 1 << 20;

    /// <summary>Series that are known, by zipf.</summary>
    public static LineGroup GroupZipf { get; } = new(
        ["fold.zipf", "fold.growth.zipf"],
        "Dictionary by reference / ours at 1 M series, zipf; ours at 1 M / ours at 10 k; a record",
        RunZipf);

    /// <summary>Series drawn alike.</summary>
    public static LineGroup GroupUniform { get; } = new(
        ["fold.fresh", "fold.growth.uniform"],
        "Dictionary by reference / ours, from empty, 1 M uniform series; ours at 1 M / ours at 10 k; a record",
        RunUniform);

    private static IEnumerable<LineResult> RunZipf(BenchContext context)
    {
        context.Log("fold.zipf, fold.growth.zipf");
        using (var small = new FoldBed(10_000, RecordCount))
        using (var large = new FoldBed(1_000_000, RecordCount))
        {
            small.Learn();
            large.Learn();
            var rounds = Rounds.Measure(
                context.Plan,
                RoundClock.ThreadCpu,
                RecordCount,
                new Contender("Dictionary by reference, 1 M", () => Ones(large.FoldDictionary())),
                new Contender("Weir, 1 M", () => Ones(large.FoldTable())),
                new Contender("Weir, 10 k", () => Ones(small.FoldTable())));
            large.RequireSameSums();
            yield return new LineResult("fold.zipf", "Dictionary by reference / ours, 1 M series known, zipf 1.1", "ns/record")
            {
                Ours = rounds.Nanos(1),
                Peer = rounds.Nanos(0),
                Ratio = rounds.Ratio(0, 1),
                Target = LineTarget.AtLeast(2.8, 4),
                Note = Allocated(rounds, 1),
            };
            yield return Growth("zipf", rounds, 1, 2, LineTarget.AtMost(2.2, 1.6));
        }

        context.Forget();
    }

    private static IEnumerable<LineResult> RunUniform(BenchContext context)
    {
        context.Log("fold.fresh, fold.growth.uniform");
        using (var small = new FoldBed(10_000, RecordCount, exponent: 0))
        using (var large = new FoldBed(1_000_000, RecordCount, exponent: 0))
        {
            var fresh = Rounds.Measure(
                context.Plan,
                RoundClock.ThreadCpu,
                RecordCount,
                new Contender("Dictionary by reference", large.FoldDictionaryFresh),
                new Contender("Weir", large.FoldTableFresh));
            yield return new LineResult(
                "fold.fresh", "Dictionary by reference / ours, a whole cut from empty (memory is kept), 1 M uniform series", "ns/record")
            {
                Ours = fresh.Nanos(1),
                Peer = fresh.Nanos(0),
                Ratio = fresh.Ratio(0, 1),
                Target = LineTarget.AtLeast(3.8, 5.5),
                Note = Allocated(fresh, 1),
            };
            small.Learn();
            large.Learn();
            var growth = Rounds.Measure(
                context.Plan,
                RoundClock.ThreadCpu,
                RecordCount,
                new Contender("Weir, 1 M", () => Ones(large.FoldTable())),
                new Contender("Weir, 10 k", () => Ones(small.FoldTable())));
            yield return Growth("uniform", growth, 0, 1, LineTarget.AtMost(4, 3));
        }

        context.Forget();
    }

    private static LineResult Growth(string law, Rounds rounds, int large, int small, LineTarget target) => new(
        $"fold.growth.{law}", $"ours at 1 M series / ours at 10 k, {law}", "ns/record")
    {
        Ours = rounds.Nanos(large),
        Peer = rounds.Nanos(small),
        Ratio = rounds.Ratio(large, small),
        Target = target,
    };

    private static string Allocated(Rounds rounds, int contender) =>
        $"{rounds.AllocatedBytes(contender):F3} B allocated a record.";

    // Both sides fold more with each round, so what they hold cannot be the checksum of a round: RequireSameSums compares it at the end.
    private static ulong Ones(long foldedCount) => (ulong)foldedCount;
}
