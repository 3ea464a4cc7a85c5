using Weir.Bench.Measure;
using Weir.Bench.Paths;
using Weir.Bench.Report;

namespace Weir.Bench.Lines;

/// <summary>What a second core brings, by layout.</summary>
internal static class TwoCoreLine
{
    /// <summary>The group.</summary>
    public static LineGroup Group { get; } = new(
        ["path.2core", "path.2core.pipeline", "path.2core.exchange", "path.2core.split"],
        "one core / two cores, weir-proto, 100 k series, two partitions; a flow",
        Run);

    private static IEnumerable<LineResult> Run(BenchContext context)
    {
        context.Log("path.2core");
        if (Environment.ProcessorCount < 2)
        {
            yield return new LineResult("path.2core", "one core / two cores", "ns/flow") { Skipped = "this process has one core" };
            yield break;
        }

        var flows = context.PathFlows(100_000);
        var messages = flows.Messages("weir-proto");
        byte[][][] partitions = [messages[..(messages.Length / 2)], messages[(messages.Length / 2)..]];
        TwoCoreLayout[] layouts = [TwoCoreLayout.OneCore, TwoCoreLayout.Pipeline, TwoCoreLayout.Exchange, TwoCoreLayout.Split];
        var paths = layouts.Select(layout => new TwoCorePath("weir-proto", layout)).ToArray();
        var rounds = Rounds.Measure(
            context.Plan,
            RoundClock.Wall,
            flows.Count,
            [.. layouts.Zip(paths, (layout, path) => new Contender(layout.ToString(), () => path.Run(partitions).Checksum))]);
        foreach (var path in paths)
        {
            path.Dispose();
        }

        var best = rounds.Ratio(0, 1) > rounds.Ratio(0, 2) ? 1 : 2;
        yield return Line("path.2core", "one core / two cores with the records exchanged, the better of the two ways", rounds, best) with
        {
            Target = LineTarget.AtLeast(1.5, 1.85),
            Note = $"{layouts[best]}. Time on the wall, each thread pinned: an idle machine is needed. "
                + $"{1e3 / rounds.Nanos(best):F1} M flows/s.",
        };
        yield return Line("path.2core.pipeline", "one thread decodes, one folds and builds", rounds, 1);
        yield return Line("path.2core.exchange", "two threads decode, two fold, records go by hash", rounds, 2);
        yield return Line("path.2core.split", "two threads, a partition each, nothing is exchanged", rounds, 3);
        context.Forget();
    }

    private static LineResult Line(string id, string title, Rounds rounds, int layout) => new(id, title, "ns/flow")
    {
        Ours = rounds.Nanos(layout),
        Peer = rounds.Nanos(0),
        Ratio = rounds.Ratio(0, layout),
    };
}
