namespace Weir.Aggregator;

/// <summary>A number of words as a type whose size is that number and 1: code that is generic over it is compiled for each number by itself.</summary>
/// <remarks>
/// <para>
/// The fold of a record is some 20 moves of vectors when the lengths of key and meters are known, and as many tests besides when they
/// are not (<c>bench/README.md</c>). Views come from the configuration, so their types are put together when a table is made.
/// </para>
/// <para>By <c>sizeof</c>, which costs the compiler nothing: with a property of an interface it gives up inlining the rest.</para>
/// </remarks>
internal static unsafe class WordCount
{
    /// <summary>The largest number that has a type.</summary>
    internal const int Max = 32;

    /// <summary>The type of <paramref name="count"/>; that of no known number, <see cref="Unknown"/>, above <see cref="Max"/>.</summary>
    internal static Type TypeOf(int count) => count is < 1 or > Max
        ? typeof(Unknown)
        : Enumerable.Range(0, count).Aggregate(typeof(Unknown), (type, _) => typeof(OneMore<>).MakeGenericType(type));

    /// <summary>True for a type that stands for a number.</summary>
    internal static bool IsKnown<T>()
        where T : unmanaged => sizeof(T) > sizeof(Unknown);

    /// <summary>The number that a type stands for.</summary>
    internal static int Of<T>()
        where T : unmanaged => sizeof(T) - sizeof(Unknown);

    /// <summary>A number that is looked up when the code runs; a byte, as all types without a field.</summary>
    internal readonly record struct Unknown;

    /// <summary>A number and 1.</summary>
    internal readonly record struct OneMore<T>(byte One, T Rest)
        where T : unmanaged;
}
