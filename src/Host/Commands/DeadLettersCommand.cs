using System.CommandLine;
using System.Globalization;
using Confluent.Kafka;
using Weir.Ingest;

namespace Weir.Host.Commands;

/// <summary><c>weir deadletters</c>: looks at rejected and late records, and feeds them in again after a fix.</summary>
internal static class DeadLettersCommand
{
    private const int ShownDefault = 20;
    private const int PreviewChars = 400;
    private const string FromTopic = "topic";
    private const string FromDirectory = "directory";

    private static readonly TimeSpan _timeout = TimeSpan.FromSeconds(10);

    /// <summary>The command.</summary>
    public static Command Create(CommandContext context) => new(
        "deadletters", "Look at rejected and late records, and feed them in again after a fix.")
    {
        CreateShow(context),
        CreateReplay(context),
    };

    private static Command CreateShow(CommandContext context)
    {
        var config = ConfigOption.Create();
        var from = FromOption();
        var limit = LimitOption($"Show the first N letters; {ShownDefault} without it.");
        var command = new Command(
            "show",
            "Print letters: where the record came from, why it was not folded, and its bytes as text or hexadecimal.")
        {
            config, from, limit,
        };
        command.SetAction((result, _) => RunAsync(result.GetValue(config), result.GetValue(from), context, (reader, _) =>
        {
            var shown = 0L;
            foreach (var (letter, _) in reader.Read())
            {
                context.Output.WriteLine(string.Create(
                    CultureInfo.InvariantCulture,
                    $"{letter.Source} offset {letter.Offset} {TimeOf(letter)}: {letter.Reason}; {letter.Error}; "
                    + $"{letter.ValueBytes} bytes"));
                context.Output.WriteLine($"    {letter.Preview(PreviewChars)}");
                if (++shown == (result.GetValue(limit) ?? ShownDefault))
                {
                    break;
                }
            }

            context.Error.WriteLine($"weir deadletters: {shown} shown");
        }));
        return command;
    }

    private static Command CreateReplay(CommandContext context)
    {
        var config = ConfigOption.Create();
        var from = FromOption();
        var to = new Option<string?>("--to")
        {
            Description = "Feed them into this topic, and not into the one that each came from.",
            HelpName = "TOPIC",
        };
        var limit = LimitOption("Feed in at most N letters.");
        var again = new Option<bool>("--again") { Description = "Begin with the first letter, and not after those of the last replay." };
        var command = new Command(
            "replay",
            "Feed letters in again, after the last one of the replay before. Values and times are as they were; the header weir-replayed "
            + "names where a record came from first. Left out: messages that hold other records too, which would be counted twice.")
        {
            config, from, to, limit, again,
        };
        command.SetAction((result, _) => RunAsync(result.GetValue(config), result.GetValue(from), context, (reader, options) =>
        {
            var replay = new DeadLetterReplay(options, result.GetValue(to));
            var report = replay.Run(reader, result.GetValue(again), result.GetValue(limit) ?? long.MaxValue);
            context.Error.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"weir deadletters: {report.ReplayedCount} fed in again; left out: {report.RepeatedCount} written twice, "
                + $"{report.UnfitCount} cut off, of a message with other records, or of a topic that kafka.topics does not name"));
        }));
        return command;
    }

    private static Option<string?> FromOption()
    {
        var option = new Option<string?>("--from")
        {
            Description = "Where the letters are: topic or directory, with a name when the configuration does not say it.",
            HelpName = $"{FromTopic}[:NAME]|{FromDirectory}[:PATH]",
        };
        option.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<string?>() is { } text && Split(text) is null)
            {
                result.AddError($"--from is '{text}'; allowed: {FromTopic}, {FromTopic}:NAME, {FromDirectory} or {FromDirectory}:PATH");
            }
        });
        return option;
    }

    private static Option<long?> LimitOption(string description)
    {
        var option = new Option<long?>("--limit") { Description = description, HelpName = "N" };
        option.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<long?>() is < 1)
            {
                result.AddError("--limit is too small; allowed: 1 or more");
            }
        });
        return option;
    }

    /// <summary>Kind and place; without a place the one that the configuration names.</summary>
    private static (string Kind, string? Place)? Split(string from)
    {
        var colon = from.IndexOf(':', StringComparison.Ordinal);
        var kind = colon < 0 ? from : from[..colon];
        var place = colon < 0 ? null : from[(colon + 1)..];
        return kind is FromTopic or FromDirectory && place is not "" ? (kind, place) : null;
    }

    private static async Task<int> RunAsync(
        string? config, string? from, CommandContext context, Action<DeadLetterReader, IngestOptions> action)
    {
        if (ConfigOption.Load(config, context) is not { } loaded)
        {
            return ExitCodes.Refused;
        }

        var options = loaded.Options.Ingest;
        try
        {
            await Task.Run(() =>
            {
                using var reader = Open(options, from);
                action(reader, options);
            });
            return ExitCodes.Ok;
        }
        catch (KafkaException error)
        {
            throw new CommandException(
                $"the broker at {options.Bootstrap}: {error.Error.Reason}; start it, or mend kafka.bootstrap", error);
        }
    }

    private static DeadLetterReader Open(IngestOptions options, string? from)
    {
        var (kind, place) = from is null ? default : Split(from)!.Value;
        var topic = kind is null or FromTopic ? place ?? options.DeadLetters.Topic : null;
        var directory = kind is null or FromDirectory ? place ?? options.DeadLetters.Directory : null;
        return topic is not null ? DeadLetterReader.OfTopic(options, topic, _timeout)
            : directory is not null ? DeadLetterReader.OfDirectory(directory)
            : throw new CommandException(
                "the configuration has neither dead_letters.topic nor dead_letters.directory; set one, or say --from");
    }

    private static string TimeOf(DeadLetter letter) => letter.TimestampMs < 0
        ? "without a time"
        : DateTimeOffset.FromUnixTimeMilliseconds(letter.TimestampMs)
            .ToString("yyyy-MM-dd HH:mm:ss.fff 'UTC'", CultureInfo.InvariantCulture);
}
