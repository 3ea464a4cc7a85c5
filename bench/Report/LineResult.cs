namespace Weir.Bench.Report;

/// <summary>On which side of its floor a ratio has to be.</summary>
internal enum Bound
{
    /// <summary>The more the better.</summary>
    AtLeast,

    /// <summary>The less the better.</summary>
    AtMost,
}

/// <summary>What a line is held to.</summary>
/// <param name="Bound">Which way is better.</param>
/// <param name="Floor">The value that the gate fails beyond.</param>
/// <param name="Goal">The value that is wanted.</param>
internal sealed record LineTarget(Bound Bound, double Floor, double Goal)
{
    /// <summary>A ratio that has to be this much at least.</summary>
    public static LineTarget AtLeast(double floor, double goal) => new(Bound.AtLeast, floor, goal);

    /// <summary>A ratio that may be this much at most.</summary>
    public static LineTarget AtMost(double floor, double goal) => new(Bound.AtMost, floor, goal);

    /// <summary>True when <paramref name="ratio"/> is not on the good side of <paramref name="limit"/>.</summary>
    public bool IsBeyond(double ratio, double limit) => Bound == Bound.AtLeast ? ratio < limit : ratio > limit;
}

/// <summary>One line of the table.</summary>
/// <param name="Id">Name for <c>--only</c> and the baseline.</param>
/// <param name="Title">What is compared.</param>
/// <param name="Unit">Of ours and the peer's.</param>
internal sealed record LineResult(string Id, string Title, string Unit)
{
    /// <summary>Ours; null where only the ratio is known.</summary>
    public double? Ours { get; init; }

    /// <summary>The peer's.</summary>
    public double? Peer { get; init; }

    /// <summary>The figure that counts; null when the line was not measured.</summary>
    public double? Ratio { get; init; }

    /// <summary>What the ratio is held to; null for a line that only informs.</summary>
    public LineTarget? Target { get; init; }

    /// <summary>What one has to know to read the figures.</summary>
    public string Note { get; init; } = "";

    /// <summary>Why it was not measured; null when it was.</summary>
    public string? Skipped { get; init; }
}
