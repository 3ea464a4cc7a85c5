using Xunit;

namespace Weir.Tests.Support;

/// <summary>
/// A test that needs real parts: skipped, visibly and with the reason, on a machine that lacks one; run, and so failed, with CI=true.
/// </summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class RealPartFactAttribute : FactAttribute
{
    /// <summary>Names what the test needs.</summary>
    public RealPartFactAttribute(params RealPart[] parts)
    {
        Parts = parts;
        Skip = RealParts.ReasonToSkip(parts)!;
    }

    /// <summary>What the test needs.</summary>
    public IReadOnlyList<RealPart> Parts { get; }
}
