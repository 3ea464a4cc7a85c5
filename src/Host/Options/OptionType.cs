using System.Globalization;
using System.Net;
using Weir.Core.Model;
using Weir.Writer;

namespace Weir.Host.Options;

/// <summary>How the text of an option becomes its value, and back.</summary>
/// <typeparam name="T">Type of the value.</typeparam>
/// <param name="Name">What the reference calls it.</param>
/// <param name="Allowed">The allowed values, in words that follow "allowed:".</param>
/// <param name="Read">Reads a text; null when it is not allowed.</param>
/// <param name="Format">The text that reads back as the same value; null when the option is not set.</param>
internal sealed record OptionType<T>(string Name, string Allowed, Func<string, OptionValue<T>?> Read, Func<T, string?> Format);

/// <summary>A value that was read; it sets "null, which is a value" apart from "nothing was read".</summary>
internal readonly record struct OptionValue<T>(T Value);

/// <summary>The types of options.</summary>
internal static class OptionTypes
{
    /// <summary>Text of 1 to <paramref name="charsMax"/> characters.</summary>
    public static OptionType<string> Text(string allowed, int charsMax = 1_000) => new(
        "text", allowed, text => text.Length >= 1 && text.Length <= charsMax ? new OptionValue<string>(text) : null, value => value);

    /// <summary>Any text, none among it.</summary>
    public static OptionType<string> AnyText() => new("text", "any text", text => new OptionValue<string>(text), value => value);

    /// <summary>A secret that programs send in a header.</summary>
    public static OptionType<string?> Token() => new(
        "text",
        $"text of {Admin.AdminToken.CharsMin} to 1000 printable characters without blanks",
        text => text.Length >= Admin.AdminToken.CharsMin && text.Length <= 1000 && text.All(letter => letter is > ' ' and <= '~')
            ? new OptionValue<string?>(text)
            : null,
        value => value);

    /// <summary>A path of a directory.</summary>
    public static OptionType<string?> Directory() => new(
        "path",
        "a path",
        text => text.Length > 0 && !text.Contains('\0', StringComparison.Ordinal) ? new OptionValue<string?>(text) : null,
        value => value);

    /// <summary>A path of a file.</summary>
    public static OptionType<string?> File() => Directory();

    /// <summary>A topic's name, or none.</summary>
    public static OptionType<string?> Topic() => new(
        "name",
        "a topic name: letters, digits, '.', '_' and '-', at most 249",
        text => TopicsSpec.IsTopicName(text) ? new OptionValue<string?>(text) : null,
        value => value);

    /// <summary>A name that SQL takes without quotes.</summary>
    public static OptionType<string> Identifier() => new(
        "name", SqlNames.Allowed, text => SqlNames.IsIdentifier(text) ? new OptionValue<string>(text) : null, value => value);

    /// <summary>A whole number.</summary>
    public static OptionType<long> Number(long min, long max) => new(
        "number",
        string.Create(CultureInfo.InvariantCulture, $"{min} to {max}"),
        text => long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var value) && value >= min && value <= max
            ? new OptionValue<long>(value)
            : null,
        value => value.ToString(CultureInfo.InvariantCulture));

    /// <summary>True or false.</summary>
    public static OptionType<bool> Switch() => new(
        "switch",
        "true or false",
        text => bool.TryParse(text, out var value) ? new OptionValue<bool>(value) : null,
        value => value ? "true" : "false");

    /// <summary>A duration.</summary>
    public static OptionType<TimeSpan> Duration(string min, string max)
    {
        var from = DurationOf(min);
        var to = DurationOf(max);
        return new OptionType<TimeSpan>(
            "duration",
            $"{min} to {max} (units ms, s, m, h, d)",
            text => Durations.TryParse(text, out var value) && value >= from && value <= to ? new OptionValue<TimeSpan>(value) : null,
            Durations.Format);
    }

    /// <summary>A size.</summary>
    public static OptionType<long> Size(long min, long max) => new(
        "size",
        $"{Sizes.Format(min)} to {Sizes.Format(max)} (units KiB, MiB, GiB)",
        text => Sizes.TryParse(text, out var value) && value >= min && value <= max ? new OptionValue<long>(value) : null,
        Sizes.Format);

    /// <summary>One of some words.</summary>
    public static OptionType<T> Choice<T>(params (string Word, T Value)[] choices) => new(
        "choice",
        string.Join(" | ", choices.Select(choice => choice.Word)),
        text => choices
            .Where(choice => choice.Word == text)
            .Select(choice => (OptionValue<T>?)new OptionValue<T>(choice.Value))
            .FirstOrDefault(),
        value => choices.First(choice => EqualityComparer<T>.Default.Equals(choice.Value, value)).Word);

    /// <summary>Addresses of brokers.</summary>
    public static OptionType<string> Brokers() => new(
        "addresses",
        "host:port, more of them separated by commas",
        text => text.Split(',').All(part => IsHostAndPort(part.Trim())) ? new OptionValue<string>(text) : null,
        value => value);

    /// <summary>Address of an HTTP server.</summary>
    public static OptionType<Uri?> HttpAddress() => new(
        "address",
        "http://host:port or https://host:port, without user, password, query or fragment",
        text => ReadHttpAddress(text) is { } url ? new OptionValue<Uri?>(url) : null,
        value => value is null ? null : value.OriginalString);

    /// <summary>Addresses of HTTP servers by shard; none when the option is not set.</summary>
    public static OptionType<IReadOnlyList<IReadOnlyList<Uri>>> ShardAddresses() => new(
        "addresses",
        "http://host:port or https://host:port, replicas separated by commas, shards by semicolons "
            + $"(at most {BlockName.ServerShardsMax}), each address once",
        text =>
        {
            var shards = text.Split(';').Select(shard => shard.Split(',').Select(part => ReadHttpAddress(part.Trim())).ToList()).ToList();
            var urls = shards.SelectMany(shard => shard).ToList();
            var isEachOnce = urls.TrueForAll(url => url is not null) && urls.Distinct().Count() == urls.Count;
            return isEachOnce && shards.Count <= BlockName.ServerShardsMax
                ? new OptionValue<IReadOnlyList<IReadOnlyList<Uri>>>([.. shards.Select(shard => shard.ConvertAll(url => url!))])
                : null;
        },
        value => value.Count == 0 ? null : string.Join(";", value.Select(shard => string.Join(",", shard.Select(url => url.OriginalString)))));

    /// <summary>An address to listen on.</summary>
    public static OptionType<IPEndPoint> ListenAddress() => new(
        "address",
        "ip:port, localhost:port or *:port; port 0 takes a free one",
        text => ReadListenAddress(text) is { } address ? new OptionValue<IPEndPoint>(address) : null,
        value => value.ToString());

    /// <summary>The compression words.</summary>
    public static OptionType<BlockCompression> Compression() =>
        Choice(("lz4", BlockCompression.Lz4), ("zstd", BlockCompression.Zstd), ("none", BlockCompression.None));

    private static Uri? ReadHttpAddress(string text) =>
        Uri.TryCreate(text, UriKind.Absolute, out var url)
        && url.Scheme is "http" or "https"
        && url is { UserInfo: "", Query: "", Fragment: "", Host: not "" }
            ? url
            : null;

    private static IPEndPoint? ReadListenAddress(string text)
    {
        var colon = text.LastIndexOf(':');
        if (colon <= 0 || !ushort.TryParse(text.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var port))
        {
            return null;
        }

        var host = text[..colon];
        return host switch
        {
            "*" => new IPEndPoint(IPAddress.IPv6Any, port),
            "localhost" => new IPEndPoint(IPAddress.Loopback, port),
            ['[', .. var inner, ']'] => IPAddress.TryParse(inner, out var v6) ? new IPEndPoint(v6, port) : null,
            _ => host.Count(letter => letter == '.') == 3 && IPAddress.TryParse(host, out var v4) ? new IPEndPoint(v4, port) : null,
        };
    }

    private static bool IsHostAndPort(string text)
    {
        // librdkafka takes an address with a protocol in front, such as SSL://host:9093.
        var scheme = text.IndexOf("://", StringComparison.Ordinal);
        var address = scheme >= 0 ? text[(scheme + 3)..] : text;
        var colon = address.LastIndexOf(':');
        return colon > 0
            && ushort.TryParse(address.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var port)
            && port > 0
            && address.AsSpan(0, colon).IndexOfAny(" \t/") < 0;
    }

    private static TimeSpan DurationOf(string text) =>
        Durations.TryParse(text, out var value) ? value : throw new ArgumentException($"{text} is not a duration.", nameof(text));
}
