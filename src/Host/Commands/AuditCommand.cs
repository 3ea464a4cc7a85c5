using System.CommandLine;
using System.Globalization;
using Weir.Host.Audit;
using Weir.Host.Options;

namespace Weir.Host.Commands;

/// <summary><c>weir audit</c>: is each record that was read in the sums once, or in a named loss.</summary>
internal static class AuditCommand
{
    private static readonly TimeSpan _waitDefault = TimeSpan.FromSeconds(15);

    /// <summary>The command.</summary>
    public static Command Create(CommandContext context, IWeirBackend backend)
    {
        var config = ConfigOption.Create();
        var topic = new Option<string?>("--topic") { Description = "Look at the ranges of this topic only.", HelpName = "T" };
        var since = new Option<string?>("--since")
        {
            Description = "Look at what was stored, or happened, from the UTC day of this time on: a time such as 2026-01-31 or "
                + "2026-01-31T12:00:00Z, or a duration before now such as 36h.",
            HelpName = "TIME|DURATION",
        };
        since.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<string?>() is { } text && ReadSince(text) is null)
            {
                result.AddError($"--since is '{text}'; allowed: a time such as 2026-01-31T12:00:00Z, or a duration such as 36h");
            }
        });
        var json = new Option<bool>("--json") { Description = "Write one JSON object." };
        var noKafka = new Option<bool>("--no-kafka")
        {
            Description = "Do not ask Kafka: compare the ledger with itself and the tables only, not with what is committed.",
        };
        var wait = new Option<string>("--wait")
        {
            Description = "How long to look again while blocks are being stored.",
            HelpName = "DURATION",
            DefaultValueFactory = _ => Durations.Format(_waitDefault),
        };
        wait.Validators.Add(result =>
        {
            if (!Durations.TryParse(result.GetValueOrDefault<string>() ?? "", out _))
            {
                result.AddError("--wait is not a duration; allowed: one such as 15s");
            }
        });
        var command = new Command(
            "audit",
            "Prove that each record read is in the sums once, or in a named loss: the ledger's ranges tile each partition up to the "
            + "committed offset, each cut's account adds up, and the tables hold what the ledger tells. Exit 0 exact, 1 differences, "
            + "2 could not look.")
        {
            config, topic, since, json, noKafka, wait,
        };
        command.SetAction((result, cancel) =>
        {
            _ = Durations.TryParse(result.GetRequiredValue(wait), out var waitFor);
            var settings = new AuditSettings(
                result.GetValue(topic),
                result.GetValue(since) is { } text ? ReadSince(text) : null,
                !result.GetValue(noKafka),
                waitFor);
            return RunAsync(result.GetValue(config), settings, result.GetValue(json), context, backend, cancel);
        });
        return command;
    }

    private static async Task<int> RunAsync(
        string? config, AuditSettings settings, bool isJson, CommandContext context, IWeirBackend backend, CancellationToken cancel)
    {
        if (ConfigOption.Load(config, context) is not { } loaded)
        {
            return ExitCodes.Refused;
        }

        try
        {
            if (settings.Topic is { } topic && loaded.Options.Ingest.Topics.All(other => other.Name != topic))
            {
                throw new CommandException($"the configuration has no topic {topic}; see kafka.topics");
            }

            await using var store = new StoreQuestions(loaded.Options, backend);
            var report = await new AuditRun(loaded.Options, settings, backend, store, TimeProvider.System).RunAsync(cancel);
            if (isJson)
            {
                AuditOutput.WriteJson(report, context.Output);
            }
            else
            {
                AuditOutput.WriteText(report, context.Output);
            }

            return report.Verdict switch
            {
                AuditVerdict.Exact => ExitCodes.Ok,
                AuditVerdict.Differences => ExitCodes.Failed,
                _ => ExitCodes.Refused,
            };
        }
        catch (Exception error) when (error is CommandException or IOException or UnauthorizedAccessException or DllNotFoundException)
        {
            context.WriteError($"the audit could not look: {error.Message}");
            if (isJson)
            {
                AuditOutput.WriteJsonFailure(error.Message, context.Output);
            }

            return ExitCodes.Refused;
        }
    }

    private static DateTimeOffset? ReadSince(string text) =>
        Durations.TryParse(text, out var age)
            ? DateTimeOffset.UtcNow - age
            : DateTimeOffset.TryParse(
                text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out var time)
                ? time
                : null;
}
