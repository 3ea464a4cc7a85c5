using System.Net;
using System.Text;
using Weir.Codecs.Flow;
using Weir.Core.Model;
using Weir.Loadgen.Capture;
using Weir.Loadgen.Generate;
using Weir.Loadgen.Replay;
using Weir.Tests.Codecs.Flow;
using Xunit;

namespace Weir.Tests.Loadgen;

public sealed class RewritingTests
{
    private const long Start = 1_767_225_600;
    private static readonly byte[] _secret = "a secret of the tests, long enough"u8.ToArray();

    public static TheoryData<string> Formats =>
        [.. FlowFormats.Names.Where(format => format is "weir" or "weir-proto" or "goflow2" or "goflow2-json" or "pmacct-json")];

    // Vectors of the sample trace that comes with the authors' own program.
    [Theory]
    [InlineData("128.11.68.132", "135.242.180.132")]
    [InlineData("129.118.74.4", "134.136.186.123")]
    [InlineData("130.132.252.244", "133.68.164.234")]
    [InlineData("141.223.7.43", "141.167.8.160")]
    [InlineData("24.5.0.80", "100.9.15.210")]
    [InlineData("192.102.249.13", "252.138.62.131")]
    public void Addresses_are_mapped_as_by_the_published_program(string address, string mapped)
    {
        byte[] key = [21, 34, 23, 141, 51, 164, 207, 128, 19, 10, 91, 22, 73, 144, 125, 16, 216, 152, 143, 131, 121, 121, 101, 39, 98, 87,
            76, 45, 42, 132, 34, 2];
        using var map = new AddressMap(key);
        Assert.Equal(Number(mapped), map.Map(Number(address)));
    }

    [Fact]
    public void Common_prefixes_stay_exactly_as_long_and_no_two_addresses_become_one()
    {
        using var map = new AddressMap(AddressMap.KeyOf(_secret, "addresses"));
        var random = new SeededRandom(1);
        var addresses = Enumerable.Range(0, 400).Select(_ => random.Below(2) == 0
            ? FlowRecord.Ipv4(0x0a000000 | (uint)random.Below(1 << 20))
            : new UInt128(0x2001_0db8_0000_0000 | random.Below(1 << 20), random.Next())).Distinct().ToList();
        foreach (var (first, second) in addresses.Zip(addresses.Skip(7)).Where(pair => IsIpv4(pair.First) == IsIpv4(pair.Second)))
        {
            Assert.Equal(UInt128.LeadingZeroCount(first ^ second), UInt128.LeadingZeroCount(map.Map(first) ^ map.Map(second)));
        }

        Assert.Equal(addresses.Count, addresses.Select(map.Map).Distinct().Count());
    }

    [Theory]
    [MemberData(nameof(Formats))]
    public void Anonymised_records_keep_their_meters_and_times_and_none_of_their_addresses(string format)
    {
        var (values, totals) = Make(format, 0.02);
        using var how = Rewriting.Anonymise(_secret);
        var rewriter = PayloadRewriter.Create(format);

        foreach (var value in values)
        {
            var hidden = rewriter.Rewrite(value, how);
            using var before = FlowSamples.Decode(format, value);
            using var after = FlowSamples.Decode(format, hidden);
            Assert.Equal(before.AcceptedCount, after.AcceptedCount);
            Assert.Equal(before.RejectedCount, after.RejectedCount);
            for (var index = 0; index < before.Rows.Count; index++)
            {
                Assert.Equal(Rest(before.Rows[index]), Rest(after.Rows[index]));
            }
        }

        var text = Encoding.Latin1.GetString(values.SelectMany(value => rewriter.Rewrite(value, how)).ToArray());
        Assert.DoesNotContain("10.254.", text, StringComparison.Ordinal);
        Assert.DoesNotContain("2001:db8", text, StringComparison.Ordinal);
        Assert.True(totals.MeterSums[0] > 0);
    }

    [Theory]
    [MemberData(nameof(Formats))]
    public void A_moved_message_has_all_its_times_moved_and_nothing_else(string format)
    {
        var (values, _) = Make(format, 0);
        using var how = Rewriting.Copy(0);
        how.AddSeconds = 86_400;
        var (moved, _) = Make(format, 0, Start + 86_400);
        var rewriter = PayloadRewriter.Create(format);

        Assert.Equal(moved.Select(Convert.ToHexString), values.Select(value => Convert.ToHexString(rewriter.Rewrite(value, how))));
    }

    [Theory]
    [MemberData(nameof(Formats))]
    public void Copies_have_other_tag_sets_and_the_same_meters(string format)
    {
        var (values, _) = Make(format, 0);
        using var first = Rewriting.Copy(1);
        using var second = Rewriting.Copy(2);
        var rewriter = PayloadRewriter.Create(format);
        using var original = FlowSamples.Decode(format, values[0]);
        using var one = FlowSamples.Decode(format, rewriter.Rewrite(values[0], first));
        using var two = FlowSamples.Decode(format, rewriter.Rewrite(values[0], second));

        Assert.Equal(original.Rows.Select(Rest), one.Rows.Select(Rest));
        Assert.Empty(original.Rows.Select(Addresses).Intersect(one.Rows.Select(Addresses)));
        Assert.Empty(one.Rows.Select(Addresses).Intersect(two.Rows.Select(Addresses)));
        Assert.Equal(original.Rows.Select(Addresses).Distinct().Count(), one.Rows.Select(Addresses).Distinct().Count());
    }

    [Theory]
    [MemberData(nameof(Formats))]
    public void Split_messages_hold_each_record_once_and_each_tag_set_in_one_partition(string format)
    {
        var (values, _) = Make(format, 0);
        var rewriter = PayloadRewriter.Create(format);
        var counter = new RecordCounter(format);
        var partitions = new Dictionary<string, int>();
        var count = 0;
        foreach (var value in values)
        {
            foreach (var (partition, part) in rewriter.Split(value, 5)!)
            {
                count += counter.Count(part);
                using var sink = FlowSamples.Decode(format, part);
                Assert.Equal(0, sink.RejectedCount);
                foreach (var row in sink.Rows.Select(Addresses))
                {
                    partitions.TryAdd(row, partition);
                }
            }
        }

        Assert.Equal(values.Sum(value => counter.Count(value)), count);
        Assert.Equal(5, partitions.Values.Distinct().Count());
    }

    [Fact]
    public void Names_become_hashes_and_equal_names_stay_equal()
    {
        using var how = Rewriting.Anonymise(_secret);
        var rewriter = PayloadRewriter.Create("pmacct-json");
        var line = """{"event_type": "purge", "peer_ip_src": "border-router-7", "ip_src": "10.1.2.3", "host": "db.example.org", "mac_src": "00:11:22:33:44:55", "ip_dst": "fe80::1", "net_src": "10.1.0.0/16", "tcp_flags": "18", "ip_proto": "tcp", "timestamp_start": "1767225819.140856", "packets": 3, "bytes": 360}""" + "\n";
        var first = Encoding.UTF8.GetString(rewriter.Rewrite(Encoding.UTF8.GetBytes(line), how));

        Assert.Equal(first, Encoding.UTF8.GetString(rewriter.Rewrite(Encoding.UTF8.GetBytes(line), how)));
        foreach (var name in (string[])["border-router-7", "10.1.2.3", "db.example.org", "00:11:22:33:44:55", "fe80::1", "10.1.0.0"])
        {
            Assert.DoesNotContain(name, first, StringComparison.Ordinal);
        }

        foreach (var kept in (
            string[])["\"event_type\": \"purge\"", "\"ip_proto\": \"tcp\"", "\"1767225819.140856\"", "\"bytes\": 360}", "/16\""])
        {
            Assert.Contains(kept, first, StringComparison.Ordinal);
        }
    }

    private static (List<byte[]> Values, GeneratedTotals Totals) Make(string format, double malformed, long start = Start)
    {
        var generator = new Generator(new GeneratorOptions
        {
            StartSecond = start, Format = format, Seed = 9, SeriesCount = 500, RecordsPerMessage = 100, MalformedShare =
                malformed, Ipv6Share = 0.3,
        });
        return ([.. generator.Messages(1_000).Select(message => message.Value)], generator.Totals);
    }

    // The layout of a row is the schema's: addresses come first, texts are numbers.
    private static string Addresses(byte[] row) => Convert.ToHexString(row.AsSpan(OffsetOf("src_addr"), 16))
        + Convert.ToHexString(row.AsSpan(OffsetOf("dst_addr"), 16));

    private static string Rest(byte[] row)
    {
        var copy = row.ToArray();
        foreach (var tag in (string[])["src_addr", "dst_addr", "next_hop"])
        {
            copy.AsSpan(OffsetOf(tag), 16).Clear();
        }

        copy.AsSpan(OffsetOf("exporter"), 4).Clear();
        return Convert.ToHexString(copy);
    }

    private static bool IsIpv4(UInt128 address) => address >> 32 == 0xffff;

    private static int OffsetOf(string tag) =>
        StreamSchema.HashBytes + FlowSamples.Everything.Tags.Single(slot => slot.Tag.Name == tag).OffsetBytes;

    private static UInt128 Number(string address) =>
        FlowRecord.Ipv4(BitConverter.ToUInt32([.. IPAddress.Parse(address).GetAddressBytes().Reverse()]));
}
