using Weir.Codecs.Flow;
using Weir.Tests.EndToEnd;

namespace Weir.Tests.Drill;

/// <summary>What is produced in each round: one message for each partition.</summary>
/// <param name="Topic">The topic.</param>
/// <param name="PartitionCount">Its partitions.</param>
/// <param name="Make">The messages of a round, in the order of the partitions, and what they hold.</param>
internal sealed record DrillTraffic(string Topic, int PartitionCount, Func<int, (IReadOnlyList<byte[]> Messages, long Records, long Bytes)> Make)
{
    private const int Variants = 16;

    /// <summary>Records of the present time, whose tag sets come again in all partitions.</summary>
    internal static DrillTraffic OfNow(string topic, int partitionCount, int recordsPerMessage) => new(topic, partitionCount, round =>
    {
        var now = (ulong)DateTimeOffset.UtcNow.ToUnixTimeSeconds();
        var records = FlowFeed.Make("weir", round, partitionCount * recordsPerMessage)
            .ConvertAll(record => record with { TimeSeconds = now, Bytes = record.Bytes % 1_000_000 });
        var bytes = records.Sum(record => (long)(record.Bytes * Math.Max(record.SamplingRate, 1)));
        return ([.. FlowFeed.Messages("weir", records, recordsPerMessage)], records.Count, bytes);
    });

    /// <summary>Records of one minute and a fixed set of series, made once, so that producing costs little.</summary>
    /// <param name="topic">The topic.</param>
    /// <param name="partitionCount">Its partitions.</param>
    /// <param name="recordsPerMessage">Records of each message.</param>
    /// <param name="seriesCount">Series in all.</param>
    /// <param name="isKeyed">True when each series has its partition; false when each occurs in all of them.</param>
    internal static DrillTraffic OfSeries(string topic, int partitionCount, int recordsPerMessage, int seriesCount, bool isKeyed)
    {
        var random = new Random(20260101);
        var rounds = Enumerable.Range(0, Variants).Select(_ =>
        {
            var records = Enumerable.Range(0, partitionCount * recordsPerMessage).Select(index =>
            {
                var series = random.Next(seriesCount);
                return Record(isKeyed ? (series / partitionCount * partitionCount) + (index / recordsPerMessage) : series);
            }).ToList();
            IReadOnlyList<byte[]> messages = [.. FlowFeed.Messages("weir", records, recordsPerMessage)];
            return (messages, (long)records.Count, records.Sum(record => (long)record.Bytes));
        }).ToArray();
        return new DrillTraffic(topic, partitionCount, round => rounds[round % Variants]);
    }

    private static FlowRecord Record(int series) => new()
    {
        TimeSeconds = FlowFeed.RecentMinute,
        SrcAddr = FlowRecord.Ipv4(0x0a000000 + (uint)series),
        DstAddr = FlowRecord.Ipv4(0x0b000001),
        DstPort = 443,
        Proto = 6,
        Flows = 1,
        Packets = 3,
        Bytes = 100 + (ulong)series,
    };
}
