namespace Weir.Bench.Report;

/// <summary>What the gate thinks of a line.</summary>
internal enum Verdict
{
    /// <summary>It has no floor: it informs.</summary>
    Informs,

    /// <summary>It was not measured.</summary>
    Skipped,

    /// <summary>Within its floor and near its baseline.</summary>
    Passes,

    /// <summary>As <see cref="Passes"/>, and the goal is reached.</summary>
    ReachesGoal,

    /// <summary>More than <see cref="Gate.BaselineShare"/> worse than the baseline.</summary>
    UnderBaseline,

    /// <summary>Beyond its floor.</summary>
    UnderFloor,
}

/// <summary>Judges lines: a ratio beyond its floor fails, and so does one that is more than 25 % worse than the baseline's.</summary>
internal static class Gate
{
    /// <summary>What is left of a baseline's ratio before it counts as a loss.</summary>
    internal const double BaselineShare = 0.75;

    /// <summary>The verdict on one line.</summary>
    /// <param name="line">What was measured.</param>
    /// <param name="baseline">The ratio of the last release; null where it had none.</param>
    internal static Verdict Judge(LineResult line, double? baseline)
    {
        if (line.Ratio is not { } ratio)
        {
            return Verdict.Skipped;
        }

        if (line.Target is not { } target)
        {
            return Verdict.Informs;
        }

        if (double.IsNaN(ratio) || target.IsBeyond(ratio, target.Floor))
        {
            return Verdict.UnderFloor;
        }

        if (baseline is { } before && IsWorse(target.Bound, ratio, before))
        {
            return Verdict.UnderBaseline;
        }

        return target.IsBeyond(ratio, target.Goal) ? Verdict.Passes : Verdict.ReachesGoal;
    }

    /// <summary>True when the gate fails for a line of this verdict.</summary>
    /// <param name="verdict">The verdict.</param>
    /// <param name="line">The line.</param>
    /// <param name="mustBeComplete">True where a line that has a floor and was not measured fails, as in CI.</param>
    internal static bool Fails(Verdict verdict, LineResult line, bool mustBeComplete) =>
        verdict is Verdict.UnderFloor or Verdict.UnderBaseline || (verdict == Verdict.Skipped && mustBeComplete && line.Target is not null);

    private static bool IsWorse(Bound bound, double ratio, double before) =>
        bound == Bound.AtLeast ? ratio < before * BaselineShare : ratio * BaselineShare > before;
}
