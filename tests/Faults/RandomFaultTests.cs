using System.Globalization;
using Weir.Tests.Support;
using Xunit;

namespace Weir.Tests.Faults;

/// <summary>Runs whose faults are decided by a number. <c>WEIR_SEED=n</c> runs that one alone, <c>WEIR_LONG=true</c> the long ones.</summary>
[Collection(ProcessesCollection.Name)]
public sealed class RandomFaultTests
{
    private const int ShortCount = 12;
    private const int LongCount = 250;
    private const int LongSeedsFrom = 1_001;

    /// <summary>Runs at one time: they mostly wait.</summary>
    private const int BatchSize = 3;

    private static readonly bool _isLong =
        string.Equals(Environment.GetEnvironmentVariable("WEIR_LONG"), "true", StringComparison.OrdinalIgnoreCase);

    /// <summary>The runs of this time, a few in each batch.</summary>
    public static TheoryData<string> Batches()
    {
        var data = new TheoryData<string>();
        if (Environment.GetEnvironmentVariable("WEIR_SEED") is { Length: > 0 } seed)
        {
            data.Add(seed);
            return data;
        }

        var (from, count) = _isLong ? (LongSeedsFrom, LongCount) : (1, ShortCount);
        foreach (var batch in Enumerable.Range(from, count).Chunk(BatchSize))
        {
            data.Add(string.Join(' ', batch));
        }

        return data;
    }

    [RealPartTheory(RealPart.LocalRdkafka, RealPart.EmbeddedClickHouse, RealPart.ClickHouseServer, RealPart.ZooKeeper)]
    [MemberData(nameof(Batches))]
    public async Task Whatever_fails_the_sums_are_exact_in_the_end(string seeds)
    {
        var failures = await Task.WhenAll(seeds.Split(' ').Select(RunAsync));
        Assert.True(failures.All(failure => failure is null), string.Join("\n\n", failures));
    }

    private static async Task<string?> RunAsync(string seed)
    {
        var number = int.Parse(seed, CultureInfo.InvariantCulture);
        try
        {
            await FaultRun.RunAsync(FaultPlan.Random(number, _isLong || number >= LongSeedsFrom));
            return null;
        }
        catch (FaultRunException failure)
        {
            return failure.Message;
        }
    }
}
