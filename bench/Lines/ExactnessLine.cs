using Weir.Bench.Flows;
using Weir.Bench.Measure;
using Weir.Bench.Processes;
using Weir.Bench.Report;
using Weir.Core.Faults;

namespace Weir.Bench.Lines;

/// <summary>What plans and ledger rows cost: the whole program with and without them, side by side.</summary>
internal static class ExactnessLine
{
    private const string Id = "process.exactness";
    private const int SeriesCount = 100_000;
    private const int RecordCount = 400_000;
    private const string Format = "weir"; // The cheapest to decode, so the one in which a fixed cost shows most.

    /// <summary>The group.</summary>
    public static LineGroup Group { get; } = new(
        [Id], "whole program, CPU a flow with plans in Kafka and ledger rows / without them", Run) { IsLong = true };

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
        var windows = ProgramPair.Measure(
            context, program, Format, flows, new ProgramSetting("exact"), new ProgramSetting("bare", FaultPoint.NoNames));
        var ratios = windows.Select(window => window.One / window.Other).Order().ToList();
        yield return new LineResult(Id, $"whole program, {Format}, with plans and ledger / without them", "ns/flow")
        {
            Ours = Rounds.Median([.. windows.Select(window => window.One)]),
            Peer = Rounds.Median([.. windows.Select(window => window.Other)]),
            Ratio = Rounds.Median(ratios),
            Target = context.Plan.IsQuick ? null : LineTarget.AtMost(1.03, 1.03), // A few windows of 10 s differ by more than that.
            Note = $"Both at once, {windows.Count} windows of a flush; half of the ratios lie between "
                + $"{ratios[ratios.Count / 4]:F2} and {ratios[ratios.Count * 3 / 4]:F2}.",
        };
        context.Forget();
    }
}
