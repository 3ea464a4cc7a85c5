using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Confluent.Kafka;

namespace Weir.Loadgen.Commands;

/// <summary>Options, values and output that the commands share.</summary>
internal static class CommandOptions
{
    /// <summary>What a shell says of a program that Ctrl-C ended.</summary>
    public const int ExitStopped = 130;

    private static readonly TimeSpan _sampleInterval = TimeSpan.FromMilliseconds(250);
    private const int SamplesPerLine = 4;
    private const string Hidden = "***";
    private static readonly string[] _secretWords = ["password", "secret", "key", "token", "oauth", "jaas"];

    /// <summary>An option with a default.</summary>
    public static Option<T> Of<T>(string name, string description, T otherwise, string? help = null) =>
        new(name) { Description = description, HelpName = help, DefaultValueFactory = _ => otherwise };

    /// <summary>An option that may be absent.</summary>
    public static Option<T?> Of<T>(string name, string description, string? help = null) =>
        new(name) { Description = description, HelpName = help };

    /// <summary><c>--bootstrap</c>.</summary>
    public static Option<string> Bootstrap() => new("--bootstrap") { Description = "Kafka brokers, host:port", Required = true };

    /// <summary><c>--topic</c>.</summary>
    public static Option<string> Topic(string what = "topic to produce to") => new("--topic") { Description = what, Required = true };

    /// <summary><c>--json</c>.</summary>
    public static Option<bool> Json() => new("--json") { Description = "print the totals as one JSON object on stdout" };

    /// <summary><c>--report</c>.</summary>
    public static Option<string?> Report() => Of<string>(
        "--report", "write a report with plots at the end: Markdown, or a self-contained page where the name ends in .html");

    /// <summary><c>--property</c>.</summary>
    public static Option<string[]> Properties() => new("--property")
    {
        Description = "a property of librdkafka, such as security.protocol=ssl; may be given several times",
        HelpName = "NAME=VALUE",
        DefaultValueFactory = _ => [],
    };

    /// <summary><c>--follow</c>.</summary>
    public static Option<Uri?> Follow() => new("--follow")
    {
        Description = "admin address of the weir that reads the topic; stays near its position",
        CustomParser = ParseFollow, // System.CommandLine has no conversion for addresses.
    };

    /// <summary>A duration such as 90s, 5m, 8d, 250ms.</summary>
    /// <exception cref="ArgumentException">It can't be read.</exception>
    public static TimeSpan Duration(string option, string text)
    {
        var digits = 0;
        while (digits < text.Length && (char.IsAsciiDigit(text[digits]) || text[digits] == '.'))
        {
            digits++;
        }

        double unit = text[digits..] switch { "ms" => 0.001, "s" => 1, "m" => 60, "h" => 3_600, "d" => 86_400, _ => double.NaN };
        return double.TryParse(text[..digits], NumberStyles.Float, CultureInfo.InvariantCulture, out var number) && !double.IsNaN(unit)
            ? TimeSpan.FromSeconds(number * unit)
            : throw new ArgumentException($"{option} is '{text}'; allowed: a duration such as 250ms, 90s, 5m, 36h or 8d");
    }

    /// <summary>A size such as 64MiB, 2GB or a number of bytes.</summary>
    /// <exception cref="ArgumentException">It can't be read.</exception>
    public static long Size(string option, string text)
    {
        var digits = text.TakeWhile(char.IsAsciiDigit).Count();
        long unit = text[digits..] switch
        {
            "" or "B" => 1, "KiB" => 1L << 10, "MiB" => 1L << 20, "GiB" => 1L << 30, "kB" => 1_000, "MB" => 1_000_000, "GB" =>
                1_000_000_000, _ => 0,
        };
        return long.TryParse(text[..digits], NumberStyles.None, CultureInfo.InvariantCulture, out var number) && unit > 0
            && number <= long.MaxValue / unit
            ? number * unit
            : throw new ArgumentException($"{option} is '{text}'; allowed: a size such as 64MiB, 2GB or 1000000");
    }

    /// <summary>A time: <c>now</c>, seconds since the epoch, or such as 2026-01-31T12:00:00Z.</summary>
    /// <exception cref="ArgumentException">It can't be read.</exception>
    public static DateTimeOffset Time(string option, string text)
    {
        if (text == "now")
        {
            return DateTimeOffset.UtcNow;
        }

        if (long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var seconds) && seconds < uint.MaxValue)
        {
            return DateTimeOffset.FromUnixTimeSeconds(seconds);
        }

        return DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var time)
            ? time
            : throw new ArgumentException(
                $"{option} is '{text}'; allowed: now, seconds since the epoch, or a time such as 2026-01-31T12:00:00Z");
    }

    /// <summary>Runs a command and says in one line what went wrong.</summary>
    /// <returns>Its exit code; 1 for what could not be done.</returns>
    public static async Task<int> GuardAsync(Func<Task<int>> command)
    {
        try
        {
            return await command();
        }
        catch (Exception error) when (error is IOException or InvalidDataException or KafkaException or ArgumentException
            or UnauthorizedAccessException or HttpRequestException or DllNotFoundException)
        {
            await Console.Error.WriteLineAsync($"weir-loadgen: {error.Message}");
            return 1;
        }
        catch (OperationCanceledException)
        {
            await Console.Error.WriteLineAsync("weir-loadgen: stopped before there was a result");
            return ExitStopped;
        }
    }

    /// <summary>One line a second on stderr until the work is done, so that stdout holds the totals alone.</summary>
    /// <param name="work">What runs.</param>
    /// <param name="line">Makes the line.</param>
    /// <param name="sample">Takes a reading for a report, some times a second and once at the end.</param>
    public static async Task ShowProgressAsync(Task work, Func<string> line, Action? sample = null)
    {
        for (var count = 1; await Task.WhenAny(work, Task.Delay(_sampleInterval)) != work; count++)
        {
            sample?.Invoke();
            if (count % SamplesPerLine == 0)
            {
                await Console.Error.WriteLineAsync(line());
            }
        }

        sample?.Invoke();
    }

    /// <summary>The options of a command as they were used, for its report: values of properties that look secret are hidden.</summary>
    /// <returns>A table with its head; flags and lists that were not given are left out.</returns>
    public static IReadOnlyList<IReadOnlyList<string>> Used(ParseResult arguments)
    {
        var rows = new List<IReadOnlyList<string>> { (string[])["option", "value", "given"] };
        var command = arguments.CommandResult.Command;
        foreach (var argument in command.Arguments)
        {
            if (arguments.GetResult(argument) is { Tokens.Count: > 0 } given)
            {
                rows.Add((string[])[argument.Name, string.Join(' ', given.Tokens.Select(token => token.Value)), "yes"]);
            }
        }

        foreach (var option in command.Options)
        {
            if (arguments.GetResult(option) is { Implicit: false } given)
            {
                var values = given.Tokens.Select(token => WithoutSecret(option, token.Value)).DefaultIfEmpty("yes");
                rows.Add((string[])[option.Name, string.Join(' ', values), "yes"]);
            }
            else if (option.HasDefaultValue && option.GetDefaultValue() is { } value and not false and not Array)
            {
                rows.Add((string[])[option.Name, Text($"{value}"), ""]);
            }
        }

        return rows;
    }

    /// <summary>A text without a culture.</summary>
    public static string Text(FormattableString text) => FormattableString.Invariant(text);

    /// <summary>An object as JSON.</summary>
    public static string ToJson(Action<Utf8JsonWriter> write, bool isIndented = false)
    {
        using var stream = new MemoryStream();
        using (var json = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = isIndented }))
        {
            json.WriteStartObject();
            write(json);
            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(stream.ToArray());
    }

    private static string WithoutSecret(Option option, string value)
    {
        var equals = value.IndexOf('=', StringComparison.Ordinal);
        return option.Name.EndsWith("property", StringComparison.Ordinal) && equals > 0
            && _secretWords.Any(word => value[..equals].Contains(word, StringComparison.OrdinalIgnoreCase))
            ? value[..(equals + 1)] + Hidden
            : value;
    }

    private static Uri? ParseFollow(ArgumentResult result)
    {
        if (Uri.TryCreate(result.Tokens[0].Value, UriKind.Absolute, out var address) && address.Scheme == Uri.UriSchemeHttp)
        {
            return address;
        }

        result.AddError($"--follow is '{result.Tokens[0].Value}'; allowed: an http address, such as http://127.0.0.1:9526");
        return null;
    }
}
