using System.Text;
using Weir.Codecs.Flow;
using Weir.Core.Model;
using Weir.Ingest;
using Weir.Tests.EndToEnd;
using Weir.Tests.Support;
using Xunit;

namespace Weir.Tests.Diagnosis;

/// <summary>Messages of the diagnosis tests, made once; their times are those of the present hour.</summary>
internal static class Feeds
{
    /// <summary>Records of a healthy day: some hundred series from three agents.</summary>
    public static IReadOnlyList<byte[]> Normal(int recordsPerMessage, int seed = 1) =>
        Pmacct(FlowFeed.Make("pmacct-json", seed, recordsPerMessage * 8), recordsPerMessage);

    /// <summary>Lines that are of one second, so that they fold into few rows.</summary>
    public static IReadOnlyList<byte[]> FewSeries(int recordsPerMessage) => Pmacct(
        FlowFeed.Make("pmacct-json", 1, recordsPerMessage * 8).Select(record =>
        {
            record.TimeSeconds = FlowFeed.RecentMinute;
            return record;
        }),
        recordsPerMessage);

    /// <summary>Records of a healthy day in weir's own format.</summary>
    public static IReadOnlyList<byte[]> NormalOwn(int recordsPerMessage, int seed = 1) =>
        [.. FlowFeed.Messages("weir", FlowFeed.Make("weir", seed, recordsPerMessage * 8), recordsPerMessage)];

    /// <summary>One agent whose clock is two hours ahead.</summary>
    public static IReadOnlyList<byte[]> Ahead(string agent) => Pmacct(
        FlowFeed.Make("pmacct-json", 2, 400).Select(record =>
        {
            record.TimeSeconds = (ulong)DateTimeOffset.UtcNow.AddHours(2).ToUnixTimeSeconds();
            record.Exporter = Encoding.UTF8.GetBytes(agent);
            return record;
        }),
        50);

    /// <summary>One agent whose lines are cut off.</summary>
    public static IReadOnlyList<byte[]> Broken(string agent) =>
        [Encoding.UTF8.GetBytes(string.Concat(Enumerable.Repeat($"{{\"event_type\": \"purge\", \"peer_ip_src\": \"{agent}\", \"ip_src\": \n", 20)))];

    /// <summary>Batches whose version is not known.</summary>
    public static IReadOnlyList<byte[]> OtherVersion()
    {
        var batch = (byte[])NormalOwn(50)[0].Clone();
        batch[4] = 99; // After the four letters of the format.
        return [batch];
    }

    /// <summary>As many series as records: a source address that never comes again.</summary>
    public static IReadOnlyList<byte[]> Exploding(int count) =>
        [.. FlowFeed.Messages("weir", FlowFeed.MakeDistinct(0, count).Select(record =>
        {
            record.DstAddr = FlowRecord.Ipv4(0x0b000001);
            record.DstPort = 443;
            record.TimeSeconds = FlowFeed.RecentMinute;
            return record;
        }), 1_000)];

    /// <summary>Series that do not come again, in all tags.</summary>
    public static IReadOnlyList<byte[]> Distinct(int count) => [.. FlowFeed.Messages("weir", FlowFeed.MakeDistinct(0, count), 1_000)];

    /// <summary>Records of which nine in ten are of one tag set.</summary>
    public static IReadOnlyList<byte[]> HotKey(int recordsPerMessage)
    {
        var records = FlowFeed.Make("weir", 3, recordsPerMessage * 4);
        var hot = records[0];
        return [.. FlowFeed.Messages("weir", records.Select((record, index) => index % 10 == 0 ? record : hot), recordsPerMessage)];
    }

    /// <summary>Records of as many series as there are, all of one shard's range.</summary>
    /// <param name="shard">The shard.</param>
    /// <param name="shardCount">Shards.</param>
    /// <param name="recordsPerMessage">Records of each of the two messages.</param>
    public static IReadOnlyList<byte[]> OneShard(int shard, int shardCount, int recordsPerMessage)
    {
        var schema = StreamSchema.Compile(StandardSchema.Views);
        var decoder = FlowFormats.Create("weir", schema);
        using var hashes = new RecordingSink(schema);
        var candidates = FlowFeed.MakeDistinct(0, recordsPerMessage * shardCount * 3).ToList();
        foreach (var message in FlowFeed.Messages("weir", candidates, 1_000))
        {
            decoder.Decode(message, hashes);
        }

        Assert.Equal(candidates.Count, hashes.Hashes.Count);
        var records = candidates.Zip(hashes.Hashes).Where(pair => ShardRouter.ShardOf(pair.Second, shardCount) == shard).Select(pair => pair.First);
        return [.. FlowFeed.Messages("weir", records.Take(recordsPerMessage * 2), recordsPerMessage)];
    }

    private static List<byte[]> Pmacct(IEnumerable<FlowRecord> records, int perMessage) => [.. FlowFeed.Messages("pmacct-json", records, perMessage)];
}
