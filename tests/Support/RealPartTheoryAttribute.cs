using Xunit;

namespace Weir.Tests.Support;

/// <summary>As <see cref="RealPartFactAttribute"/>, for a test with data.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class RealPartTheoryAttribute : TheoryAttribute
{
    /// <summary>Names what the test needs.</summary>
    public RealPartTheoryAttribute(params RealPart[] parts)
    {
        Parts = parts;
        Skip = RealParts.ReasonToSkip(parts)!;
    }

    /// <summary>What the test needs.</summary>
    public IReadOnlyList<RealPart> Parts { get; }
}
