using Weir.Bench.Flows;
using Weir.Bench.Measure;
using Weir.Bench.Processes;
using Weir.Bench.Report;
using Weir.Core.Faults;

namespace Weir.Bench.Lines;

/// <summary>What plans and ledger rows cost: the whole program with and without them, in turns.</summary>
internal static class ExactnessLine
{
    private const string Id = "process.exactness";
    private const int SeriesCount = 100_000;
    private const int RecordCount = 400_000;
    private const string Format = "weir"; // The cheapest to decode, so the one in which a fixed cost shows most.

    /// <summary>The order cancels a machine that grows slower or faster.</summary>
    private static readonly bool[] _turns = [true, false, false, true, true, false];

    /// <summary>The group.</summary>
    public static LineGroup Group { get; } = new(
        [Id], "whole program, CPU a flow with plans in Kafka and ledger rows / without them", Run);

    private static IEnumerable<LineResult> Run(BenchContext context)
    {
        context.Log(Id);
        if (RepositoryRoot.FindWeir(out var reason) is not { } program)
        {
            yield return new LineResult(Id, "what exactness costs", "ns/flow") { Skipped = reason, Target = LineTarget.AtMost(1.03, 1.03) };
            yield break;
        }

        var now = (ulong)DateTimeOffset.UtcNow.ToUnixTimeSeconds();
        var flows = new FlowSet(SeriesCount, RecordCount, timeSeconds: (now / 60 * 60) - 30);
        var (exact, bare, exactRates, bareRates) = (new List<double>(), new List<double>(), new List<double>(), new List<double>());
        foreach (var isExact in _turns)
        {
            var run = ProcessLines.RunProgram(context, program, Format, flows, isExact ? null : FaultPoint.NoNames);
            (isExact ? exact : bare).Add(run.ProcessNanos / run.RecordCount);
            (isExact ? exactRates : bareRates).Add(run.RecordCount / run.Elapsed.TotalSeconds / 1e6);
        }

        var (ours, peer) = (Rounds.Median(exact), Rounds.Median(bare));
        yield return new LineResult(Id, $"whole program, {Format}, with plans and ledger / without them", "ns/flow")
        {
            Ours = ours,
            Peer = peer,
            Ratio = ours / peer,
            Target = context.Plan.IsQuick ? null : LineTarget.AtMost(1.03, 1.03), // Runs of 8 s differ by more than that.
            Note = $"Medians of {exact.Count} runs each, in turns; {Rounds.Median(exactRates):F2} and {Rounds.Median(bareRates):F2} M flows/s.",
        };
        context.Forget();
    }
}
