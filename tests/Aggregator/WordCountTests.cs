using System.Reflection;
using Weir.Aggregator;
using Xunit;

namespace Weir.Tests.Aggregator;

public class WordCountTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(6)]
    [InlineData(11)]
    [InlineData(WordCount.Max)]
    public void A_count_is_read_back_from_its_type(int count)
    {
        var type = WordCount.TypeOf(count);
        Assert.Equal(count, Call(nameof(WordCount.Of), type));
        Assert.Equal(true, Call(nameof(WordCount.IsKnown), type));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(WordCount.Max + 1)]
    public void Other_counts_have_no_type(int count)
    {
        var type = WordCount.TypeOf(count);
        Assert.Equal(typeof(WordCount.Unknown), type);
        Assert.Equal(false, Call(nameof(WordCount.IsKnown), type));
    }

    private static object? Call(string name, Type type) => typeof(WordCount)
        .GetMethod(name, BindingFlags.Static | BindingFlags.NonPublic)!.MakeGenericMethod(type).Invoke(null, null);
}
