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
        "one core / two cores, weir-proto, 100 k series, three cuts of two partitions; a flow",
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
        var flowCount = flows.Count * TwoCorePath.CutCount;
        var busier = paths.Select(_ => new List<double>()).ToArray();
        var total = paths.Select(_ => new List<double>()).ToArray();
        var rounds = Rounds.Measure(
            context.Plan,
            RoundClock.Wall,
            flowCount,
            [.. layouts.Zip(paths, (layout, path) => new Contender(layout.ToString(), () => Run(layout, path)))]);
        foreach (var path in paths)
        {
            path.Dispose();
        }

        ulong Run(TwoCoreLayout layout, TwoCorePath path)
        {
            var checksum = path.Run(partitions).Checksum;
            busier[(int)layout].Add(path.BusierCoreNanos / (double)flowCount);
            total[(int)layout].Add(path.CpuNanos / (double)flowCount);
            return checksum;
        }

        string Cpu(int layout)
        {
            var nanos = LastMedian(busier[layout], context.Plan);
            return $"CPU a flow: {LastMedian(total[layout], context.Plan):F0} ns of both cores, {nanos:F0} of the busier one; "
                + $"one core alone {LastMedian(busier[0], context.Plan) / nanos:F2} times that.";
        }

        var best = rounds.Ratio(0, 1) > rounds.Ratio(0, 2) ? 1 : 2;
        yield return Line("path.2core", "one core / two cores with the records exchanged, the better of the two ways", rounds, best) with
        {
            Target = LineTarget.AtLeast(1.5, 1.85),
            Note = $"{layouts[best]}. Time on the wall, each thread pinned: an idle machine is needed. "
                + $"{1e3 / rounds.Nanos(best):F1} M flows/s. {Cpu(best)}",
        };
        yield return Line("path.2core.pipeline", "one thread decodes, one folds and builds", rounds, 1) with { Note = Cpu(1) };
        yield return Line("path.2core.exchange", "two threads decode, two fold, records go by hash", rounds, 2) with { Note = Cpu(2) };
        yield return Line("path.2core.split", "two threads, a partition each, nothing is exchanged", rounds, 3) with { Note = Cpu(3) };
        context.Forget();
    }

    /// <summary>The median of the rounds that counted, which are the last ones.</summary>
    private static double LastMedian(List<double> values, RoundPlan plan) => Rounds.Median([.. values.TakeLast(plan.RoundCount)]);

    private static LineResult Line(string id, string title, Rounds rounds, int layout) => new(id, title, "ns/flow")
    {
        Ours = rounds.Nanos(layout),
        Peer = rounds.Nanos(0),
        Ratio = rounds.Ratio(0, layout),
    };
}
