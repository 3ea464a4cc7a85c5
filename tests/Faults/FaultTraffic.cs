using Weir.Codecs.Flow;
using Weir.Tests.EndToEnd;
using Weir.Tests.Support;

namespace Weir.Tests.Faults;

/// <summary>Seeded records in two formats, some messages that are none, and what all of them add up to.</summary>
/// <remarks>Every record is a series of its own: a missing one is seen even where another counts twice.</remarks>
internal sealed class FaultTraffic(FaultPlan plan, string group)
{
    /// <summary>The topic of batches.</summary>
    public const string Batches = "flows";

    /// <summary>The topic of JSON lines, one partition.</summary>
    public const string Lines = "lines";

    /// <summary>One record in so many goes as JSON: the broker keeps 5 MiB of each partition.</summary>
    private const int LinesShare = 10;

    /// <summary>JSON in all, for the same reason.</summary>
    private const int LinesMax = 10_000;

    /// <summary>One message in so many is none.</summary>
    private const int GarbageShare = 25;

    private readonly Random _random = new(plan.Seed + 1);
    private readonly Dictionary<(string Topic, int Partition), long> _produced = [];
    private int _lineCount;

    /// <summary>Records in good messages so far.</summary>
    public long RecordCount { get; private set; }

    /// <summary>Sum of their packets.</summary>
    public ulong Packets { get; private set; }

    /// <summary>Sum of their bytes.</summary>
    public ulong Bytes { get; private set; }

    /// <summary>Messages that are none.</summary>
    public long GarbageCount { get; private set; }

    /// <summary>Produces the next records.</summary>
    public void Produce(KafkaBroker broker, int count)
    {
        count = (int)Math.Min(count, plan.RecordCount - RecordCount);
        var records = Enumerable.Range(0, count).Select(_ => Next()).ToList();
        var lineCount = Math.Min(count / LinesShare, LinesMax - _lineCount);
        _lineCount += lineCount;
        Send(broker, Lines, 1, FlowFeed.Messages("pmacct-json", records[..lineCount], 20));
        Send(broker, Batches, plan.PartitionCount, FlowFeed.Messages("weir", records[lineCount..], 1 + _random.Next(200)));
    }

    /// <summary>True when the group has committed all that was produced.</summary>
    public bool IsCommitted(KafkaBroker broker) =>
        _produced.GroupBy(entry => entry.Key.Topic).All(topic =>
        {
            var committed = broker.Committed(group, topic.Key, topic.Key == Lines ? 1 : plan.PartitionCount);
            return topic.All(entry => committed[entry.Key.Partition] >= entry.Value);
        });

    public override string ToString() =>
        $"{RecordCount} records, {Packets} packets, {Bytes} bytes, {GarbageCount} messages that are none; {string.Join(", ", _produced)}";

    private FlowRecord Next()
    {
        var record = new FlowRecord
        {
            TimeSeconds = FlowFeed.RecentMinute + (ulong)(RecordCount * plan.EventSeconds / plan.RecordCount),
            SrcAddr = FlowRecord.Ipv4(0x0a000000 + (uint)RecordCount),
            DstAddr = FlowRecord.Ipv4(0x0b000000 + (uint)_random.Next(1_000)),
            DstPort = (ushort)_random.Next(50),
            Proto = 17,
            Flows = 1,
            Packets = (ulong)_random.Next(1, 1_000),
            Bytes = (ulong)_random.Next(40, 1_000_000),
        };
        RecordCount++;
        Packets += record.Packets;
        Bytes += record.Bytes;
        return record;
    }

    private void Send(KafkaBroker broker, string topic, int partitionCount, IEnumerable<byte[]> messages)
    {
        var placed = new List<(int Partition, byte[]? Value, DateTimeOffset? Time)>();
        foreach (var message in messages)
        {
            placed.Add((_random.Next(partitionCount), message, null));
            if (_random.Next(GarbageShare) == 0)
            {
                GarbageCount++;
                placed.Add((_random.Next(partitionCount), "{ no message }"u8.ToArray(), null));
            }
        }

        broker.Produce(topic, placed);
        foreach (var partition in placed.GroupBy(message => message.Partition))
        {
            _produced[(topic, partition.Key)] = _produced.GetValueOrDefault((topic, partition.Key)) + partition.Count();
        }
    }
}
