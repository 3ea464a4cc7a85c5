using System.Globalization;
using System.Text;
using Weir.Codecs.Flow;
using Weir.Tests.Support;
using Xunit;

namespace Weir.Tests.Codecs.Flow;

/// <summary>What the decoders do for usual values and usual orders is what they do for all others.</summary>
public sealed class QuickPathTests
{
    private const int Seed = 20261121;

    private static readonly string[] _numbers =
    [
        "0", "1", "9", "10", "99", "443", "65535", "65536", "9999999", "10000000", "12345678", "123456789", "18446744073709551615",
        "18446744073709551616", "00", "01", "007", "-1", "-0", "1.0", "1.5", "1e2", "1E2", "12e", "1x", "\"\"", "\"7\"", "\"007\"", "\"65535\"",
        "\"1234567\"", "\"12345678\"", "\"7 \"", "\" 7\"", "\"1.0\"", "\"1e1\"", "\"\\u0037\"", "\"a\"", "\"9:\"", "\"/9\"", "null", "true", "[]", "",
    ];

    private static readonly string[] _addresses =
    [
        "1.2.3.4", "0.0.0.0", "255.255.255.255", "256.1.1.1", "1.256.1.1", "1.1.1.256", "1.1.1.999", "01.2.3.4", "1.02.3.4", "1.2.3.04", "1.2.3",
        "1.2.3.", ".1.2.3", "1..2.3", "1.2.3.4.5", "1.2.3.4 ", " 1.2.3.4", "1.2.3.4a", "1,2,3,4", "1.2.3/4", "1.2.3:4", "1234.1.1.1", "1.1.1.1234",
        "111.111.111.111", "1111.1111.1111.1", "2001:db8::1", "::ffff:1.2.3.4", "::", "fe80::1%eth0", "", "\\u0031.2.3.4", "1.2.3.\\u0034",
        "router-1", "0.0.0.00", "9.9.9.9", "10.0.0.1\\n",
    ];

    private static readonly string[] _times =
    [
        "1767225819.140856", "1767225819.000000", "1767225820.999999", "0.000000", "0.000001", "0000000000.000000", "0000000001.000000", "4294967295.999999",
        "4294967296.000000", "9999999999.999999", "1767225819", "1767225819.1", "1767225819.14085", "1767225819.1408567", "1767225819.14085a",
        "176722581a.140856", "1767225819:140856", "-1767225819.140856", "1767225819.140856 ", "2026-01-01 00:03:39", "2026-01-01 00:03:39.140856",
        "2026-01-01 00:03:39.1", "2026-01-01T00:03:39Z", "2026-01-01 00:03:39+02:00", "2026-01-01 00:03:39.140856+02:00", "2026-13-01 00:03:39",
        "2026-01-01 24:03:39.140856", "1969-12-31 23:59:59", "1970-01-01 00:00:00", "1970-01-01 00:00:00.000001", "2106-02-07 06:28:15.999999",
        "2106-02-07 06:28:16", "1.0e-00000000000005.123456", "1e9", "1767-25819.140856", "", "now", "2026-01-01 00:03:3", "2026-01-01",
    ];

    public static TheoryData<string> Keys =>
    [
        "ip_src", "peer_ip_src", "port_src", "ip_proto", "tcp_flags", "packets", "flows", "tos", "as_src", "vlan", "sampling_rate", "stamp_inserted",
        "timestamp_start", "timestamp_end", "mask_src", "mac_src", "etype", "event_type", "app", "pod", "nat", "port_dst", "unknown",
    ];

    [Theory]
    [MemberData(nameof(Keys))]
    public void A_json_value_means_the_same_whether_it_is_read_quickly_or_not(string key)
    {
        var texts = _addresses.Concat(_times).Concat(["tcp", "TCP", "Tcp", "tcpx", "udp", "UDP", "6", "purge", "purge_init", "log", "other", "IPv4", "86dd"]);
        foreach (var value in _numbers.Concat(texts.Select(text => $"\"{text}\"")))
        {
            AssertSameQuickAndSlow("pmacct-json", $$"""{"packets": 1, "bytes": 2, "stamp_inserted": "1767225819", "{{key}}": {{value}}}""");
        }
    }

    [Theory]
    [InlineData("time_flow_start_ns")]
    [InlineData("etype")]
    [InlineData("proto")]
    public void A_value_of_goflow2_means_the_same_whether_it_is_read_quickly_or_not(string key)
    {
        string[] values =
        [
            "1767225819140856000", "1767225819140856001", "0", "9999999999999999999", "0767225819140856000", "176722581914085600", "17672258191408560001",
            "1767225819140856000.5", "1767225819140856000e1", "176722581914085600x", "\"1767225819140856000\"", "4294967295999999999", "4294967296000000000",
            "\"IPv4\"", "\"IPv6\"", "\"IPv5\"", "\"IPv44\"", "\"ARP\"", "\"\"", "\"TCP\"", "\"UDP\"", "\"ICMP\"", "2048", "6",
        ];
        foreach (var value in values)
        {
            AssertSameQuickAndSlow("goflow2-json", $$"""{"bytes": 2, "time_received_ns": 1767225819140856000, "{{key}}": {{value}}}""");
        }
    }

    [Fact]
    public void Damaged_json_means_the_same_whether_it_is_read_quickly_or_not()
    {
        var random = new Random(Seed);
        for (var round = 0; round < 5_000; round++)
        {
            var line = Encoding.UTF8.GetBytes(FlowSamples.PmacctLine($"\"peer_ip_src\": \"10.0.0.{random.Next(300)}\", \"stamp_inserted\": \"2026-01-01 00:00:{random.Next(70):d2}\""));
            for (var damage = random.Next(4); damage > 0; damage--)
            {
                var at = random.Next(line.Length);
                line[at] = random.Next(3) == 0 ? (byte)random.Next(32, 127) : (byte)"0123456789.\":,- "[random.Next(16)];
            }

            AssertSameQuickAndSlow("pmacct-json", Encoding.Latin1.GetString(line));
        }
    }

    [Fact]
    public void A_second_that_was_read_before_is_not_taken_for_another()
    {
        var random = new Random(Seed);
        var stamps = Enumerable.Range(0, 500).Select(_ => DateTime.UnixEpoch.AddSeconds(1_767_225_819 + random.Next(12)).AddMicroseconds(random.Next(1_000_000))).ToArray();
        var lines = stamps.Select((stamp, index) => (index % 3) switch
        {
            0 => $"{(stamp - DateTime.UnixEpoch).Ticks / TimeSpan.TicksPerSecond}.{stamp.Ticks / 10 % 1_000_000:d6}",
            1 => stamp.ToString("yyyy-MM-dd HH:mm:ss.ffffff", CultureInfo.InvariantCulture),
            _ => stamp.ToString("yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture),
        }).Select(text => $$"""{"packets": 1, "bytes": 2, "stamp_inserted": "{{text}}", "unknown": "............................................"}""");
        using var sink = FlowSamples.Decode("pmacct-json", string.Join('\n', lines));

        Assert.Equal(stamps.Select(stamp => (ulong)((stamp - DateTime.UnixEpoch).Ticks / TimeSpan.TicksPerSecond)), stamps.Select((_, index) => sink.Time(index)));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(7)]
    [InlineData(512)]
    [InlineData(1_535)]
    [InlineData(1_536)]
    [InlineData(1_537)]
    [InlineData(100_003)]
    public void Checksum_in_lanes_is_that_of_one_byte_after_another(int length)
    {
        var bytes = new byte[length];
        new Random(Seed + length).NextBytes(bytes);
        var crc = uint.MaxValue;
        foreach (var value in bytes)
        {
            crc ^= value;
            for (var bit = 0; bit < 8; bit++)
            {
                crc = (crc >> 1) ^ ((crc & 1) * 0x82f63b78u);
            }
        }

        Assert.Equal(~crc, Crc32C.Of(bytes));
    }

    /// <summary>A line at the end of a payload has no readable memory behind it, so its last values are read the slow way.</summary>
    private static void AssertSameQuickAndSlow(string format, string line)
    {
        var bytes = Encoding.Latin1.GetBytes(line.Replace('\n', ' '));
        using var slow = new RecordingSink(FlowSamples.Everything);
        using var quick = new RecordingSink(FlowSamples.Everything);
        FlowFormats.Create(format, FlowSamples.Everything).Decode(bytes, slow);
        FlowFormats.Create(format, FlowSamples.Everything).Decode([.. bytes, .. Encoding.ASCII.GetBytes(new string('\n', 64))], quick);
        FlowSamples.AssertSame(slow, quick);
    }
}
