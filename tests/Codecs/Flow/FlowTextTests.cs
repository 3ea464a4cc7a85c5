using System.Globalization;
using System.Net;
using System.Numerics;
using System.Text;
using Weir.Codecs.Flow;
using Weir.Core.Model;
using Xunit;

namespace Weir.Tests.Codecs.Flow;

/// <summary>The readers of numbers, addresses and times against .NET's own.</summary>
public sealed unsafe class FlowTextTests
{
    private const int Seed = 20261121;

    [Fact]
    public void Addresses_are_read_as_dotnet_reads_them()
    {
        var random = new Random(Seed);
        var bytes = new byte[16];
        for (var round = 0; round < 20_000; round++)
        {
            random.NextBytes(bytes);
            for (var index = 0; index < 16; index += 2)
            {
                if (random.Next(2) == 0)
                {
                    bytes[index] = bytes[index + 1] = 0;
                }
            }

            var address = round % 2 == 0 ? new IPAddress(bytes) : new IPAddress(bytes.AsSpan(0, 4));
            AssertRead(address.ToString(), address);
            AssertRead(address.ToString().ToUpperInvariant(), address);
        }
    }

    [Fact]
    public void Exporters_are_written_as_rfc_5952_says()
    {
        var random = new Random(Seed);
        var bytes = new byte[16];
        var strings = new StringDictionary(1_000_000);
        for (var round = 0; round < 20_000; round++)
        {
            random.NextBytes(bytes);
            for (var index = 0; index < 16; index++)
            {
                bytes[index] = random.Next(4) == 0 ? bytes[index] : (byte)0;
            }

            if (round % 4 == 0)
            {
                new byte[] { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255 }.CopyTo(bytes, 0);
            }

            bytes[0] |= (byte)(round % 4 == 0 ? 0 : 1); // .NET writes some addresses below 1:: with an IPv4 tail.
            var address = new IPAddress(bytes);
            var expected = (address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address).ToString();
            Assert.Equal(expected, Encoding.UTF8.GetString(strings.Utf8((int)strings.InternAddress(bytes))));
        }

        Assert.Equal("::", Encoding.UTF8.GetString(strings.Utf8((int)strings.InternAddress(new byte[16]))));
        Assert.Equal("::1", Encoding.UTF8.GetString(strings.Utf8((int)strings.InternAddress([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]))));
        Assert.Equal("1::", Encoding.UTF8.GetString(strings.Utf8((int)strings.InternAddress([0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]))));
    }

    [Theory]
    [InlineData("::ffff:10.0.0.1")]
    [InlineData("::10.0.0.1")]
    [InlineData("64:ff9b::192.0.2.33")]
    [InlineData("1:2:3:4:5:6:7:8")]
    [InlineData("1:2:3:4:5:6:1.2.3.4")]
    [InlineData("::")]
    [InlineData("::1")]
    [InlineData("1::")]
    [InlineData("0000:0000:0000:0000:0000:0000:0000:0001")]
    [InlineData("255.255.255.255")]
    [InlineData("0.0.0.0")]
    public void Address_in_an_unusual_form_is_read(string text) => AssertRead(text, IPAddress.Parse(text));

    [Theory]
    [InlineData("")]
    [InlineData(":")]
    [InlineData(":::")]
    [InlineData("1:2:3:4:5:6:7:8:9")]
    [InlineData("1:2:3:4:5:6:7")]
    [InlineData("1::2::3")]
    [InlineData("12345::")]
    [InlineData("1:2:3:4:5:6:7:1.2.3.4")]
    [InlineData("fe80::1%eth0")]
    [InlineData("1.2.3")]
    [InlineData("1.2.3.4.5")]
    [InlineData("1.2.3.256")]
    [InlineData("1.2.3.04")]
    [InlineData("1..2.3")]
    [InlineData("1.2.3.4 ")]
    [InlineData("g::1")]
    [InlineData("1:2:3:4:5:6:7:")]
    [InlineData("localhost")]
    public void Text_that_is_no_address_is_refused(string text)
    {
        var to = stackalloc byte[16];
        Assert.False(AddressText.TryParse(Encoding.UTF8.GetBytes(text), to));
    }

    [Fact]
    public void Numbers_are_read_exactly_or_refused()
    {
        var random = new Random(Seed);
        for (var round = 0; round < 50_000; round++)
        {
            var digits = random.Next(1, 25);
            var text = new StringBuilder(random.Next(10) == 0 ? "-" : "");
            for (var index = 0; index < digits; index++)
            {
                text.Append((char)('0' + (random.Next(3) == 0 ? 0 : random.Next(10))));
            }

            if (random.Next(3) == 0)
            {
                text.Append('.').Append(random.Next(2) == 0 ? "0" : random.Next(1000).ToString("D3", CultureInfo.InvariantCulture));
            }

            if (random.Next(3) == 0)
            {
                text.Append('e').Append(random.Next(-8, 8));
            }

            var expected = Expected(text.ToString(), out var value);
            var status = NumberText.Parse(Encoding.UTF8.GetBytes(text.ToString()), out var number);

            Assert.True((expected, value) == (status, number), $"{text}: {status} {number}, not {expected} {value}");
        }
    }

    [Fact]
    public void Dates_are_read_as_dotnet_reads_them()
    {
        var random = new Random(Seed);
        for (var round = 0; round < 20_000; round++)
        {
            var time = DateTime.UnixEpoch.AddSeconds(random.NextInt64(1, uint.MaxValue));
            var plain = Encoding.UTF8.GetBytes(time.ToString("yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture));
            var shifted = Encoding.UTF8.GetBytes(
                new DateTimeOffset(time).ToOffset(TimeSpan.FromMinutes(random.Next(-720, 720))).ToString("yyyy-MM-ddTHH:mm:ss.fffzzz", CultureInfo.InvariantCulture));
            var expected = (ulong)(time - DateTime.UnixEpoch).TotalSeconds * 1_000_000;

            Assert.Equal(expected, TimeText.Parse(plain));
            Assert.Equal(expected, TimeText.Parse(shifted));
        }
    }

    private static DecodeStatus Expected(string text, out ulong value)
    {
        value = 0;
        var parts = text.TrimStart('-').Split('e');
        var exponent = parts.Length > 1 ? int.Parse(parts[1], CultureInfo.InvariantCulture) : 0;
        var mantissa = parts[0].Split('.');
        var fraction = mantissa.Length > 1 ? mantissa[1] : "";
        var number = BigInteger.Parse(mantissa[0] + fraction, CultureInfo.InvariantCulture);
        exponent -= fraction.Length;
        if (number.IsZero)
        {
            return DecodeStatus.Ok;
        }

        if (text.StartsWith('-'))
        {
            return DecodeStatus.NumberNegative;
        }

        var scale = BigInteger.Pow(10, Math.Abs(exponent));
        if (exponent < 0 && !(number % scale).IsZero)
        {
            return DecodeStatus.NumberOutOfRange;
        }

        number = exponent < 0 ? number / scale : number * scale;
        if (number > ulong.MaxValue)
        {
            return DecodeStatus.NumberOutOfRange;
        }

        value = (ulong)number;
        return DecodeStatus.Ok;
    }

    private static void AssertRead(string text, IPAddress address)
    {
        var to = stackalloc byte[16];
        Assert.True(AddressText.TryParse(Encoding.UTF8.GetBytes(text), to), text);
        Assert.Equal(address.MapToIPv6().GetAddressBytes(), new ReadOnlySpan<byte>(to, 16).ToArray());
    }
}
