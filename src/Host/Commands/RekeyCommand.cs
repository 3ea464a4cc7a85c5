using System.CommandLine;
using System.Globalization;
using Confluent.Kafka;
using Weir.Host.Options;
using Weir.Ingest;

namespace Weir.Host.Commands;

/// <summary><c>weir rekey</c>: makes a topic in which each tag set has its partition from one in which it has not.</summary>
internal static class RekeyCommand
{
    private const string GroupSuffix = "-rekey";

    /// <summary>The command.</summary>
    public static Command Create(CommandContext context)
    {
        var config = ConfigOption.Create();
        var from = new Option<string>("--from") { Description = "Topic to read; kafka.topics says its format, or add it.", HelpName = "TOPIC[:FORMAT]", Required = true };
        var to = new Option<string>("--to") { Description = "Topic to write, in the format weir. It has to exist.", HelpName = "TOPIC", Required = true };
        var group = new Option<string?>("--group") { Description = $"Consumer group of the rekeyers; kafka.group{GroupSuffix} without it.", HelpName = "GROUP" };
        var command = new Command(
            "rekey",
            "Read a topic and write its records to another one, keyed by the tags of the views, so that weir stores one row for each series and cut. "
            + "Runs until SIGTERM or Ctrl-C; several share the partitions. Each message names its origin, and weir passes over what was written twice. "
            + "Stop all rekeyers before the new topic gets more partitions.")
        {
            config, from, to, group,
        };
        command.SetAction(async (result, _) =>
        {
            if (ConfigOption.Load(result.GetValue(config), context) is not { } loaded)
            {
                return ExitCodes.Refused;
            }

            var settings = new RekeySettings(
                Topic(result.GetRequiredValue(from), loaded.Options.Ingest),
                result.GetRequiredValue(to),
                result.GetValue(group) ?? loaded.Options.Ingest.Group + GroupSuffix,
                [.. loaded.Options.EffectiveViews.SelectMany(view => view.Tags).DistinctBy(tag => tag.Name)]);
            using var shutdown = context.OpenShutdownSignal();
            return await RunAsync(loaded, settings, context, shutdown);
        });
        return command;
    }

    private static TopicOptions Topic(string text, IngestOptions options)
    {
        var colon = text.IndexOf(':', StringComparison.Ordinal);
        var name = colon < 0 ? text : text[..colon];
        var format = colon < 0 ? options.Topics.FirstOrDefault(topic => topic.Name == name)?.Format : text[(colon + 1)..];
        return format is not null && Codecs.Flow.FlowFormats.Names.Contains(format)
            ? new TopicOptions(name, format)
            : throw new CommandException(
                $"--from {text} has no format that is known; name it as {name}:FORMAT, with {string.Join(", ", Codecs.Flow.FlowFormats.Names)}");
    }

    private static async Task<int> RunAsync(LoadedOptions loaded, RekeySettings settings, CommandContext context, ShutdownSignal shutdown)
    {
        if (settings.From.Name == settings.To)
        {
            throw new CommandException("--from and --to are one topic: what is written would be read for ever; name another one");
        }

        if (loaded.Options.Ingest.Topics.FirstOrDefault(topic => topic.Name == settings.To) is { } target && target.RekeyedFrom != settings.From.Name)
        {
            throw new CommandException(
                $"kafka.topics has {settings.To} without rekeyed_from: {settings.From.Name}; "
                + "weir would count what is written twice after a crash twice: add it");
        }

        if (settings.KeyTags.FirstOrDefault(tag => !Core.Model.StandardSchema.Tags.Contains(tag)) is { } foreign)
        {
            throw new CommandException($"the views have the tag {foreign.Name}, which is not a standard one; rekey keeps standard fields only");
        }

        using var logs = WeirLogging.Create(loaded.Options.Log, context.HasColour);
        var rekeyer = new Rekeyer(loaded.Options.Ingest, settings, TimeProvider.System, logs.CreateLogger("weir.rekey"));
        try
        {
            await Task.Factory.StartNew(
                () => rekeyer.Run(shutdown.Token), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        }
        catch (Exception error) when (error is KafkaException or InvalidOperationException)
        {
            throw new CommandException($"rekey: {(error is KafkaException kafka ? kafka.Error.Reason : error.Message)}", error);
        }

        context.Error.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"weir rekey: {rekeyer.MessageCount} messages, {rekeyer.RecordCount} records written to {settings.To}, {rekeyer.RejectedCount} rejected"
            + $"{(rekeyer.RejectedCount > 0 ? $" ({rekeyer.RejectedReasons})" : "")}"));
        return ExitCodes.Ok;
    }
}
