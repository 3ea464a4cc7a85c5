using System.CommandLine;
using System.Globalization;
using Weir.Host.Options;

namespace Weir.Host.Commands;

/// <summary><c>weir broker</c>: the embedded broker as a process of its own.</summary>
internal static class BrokerCommand
{
    private const int PartitionsMax = 1_024;
    private static readonly TimeSpan _sessionDefault = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan _sessionMax = TimeSpan.FromHours(1);

    /// <summary>The command.</summary>
    public static Command Create(CommandContext context, IWeirBackend backend)
    {
        var portFile = new Option<string?>("--port-file")
        {
            Description = "Write 127.0.0.1:PORT to FILE when the broker is ready; removed when it stops.",
            HelpName = "FILE",
        };
        var topics = new Option<string[]>("--topic")
        {
            Description = $"A topic and its partitions, 1 to {PartitionsMax}, such as flows:4. May be given several times.",
            HelpName = "NAME:PARTITIONS",
            Required = true,
        };
        topics.Validators.Add(result =>
        {
            foreach (var token in result.Tokens.Where(token => ReadTopic(token.Value) is null))
            {
                result.AddError($"--topic is {token.Value}; allowed: NAME:PARTITIONS with 1 to {PartitionsMax} partitions, such as flows:4");
            }
        });
        var session = new Option<string>("--session-timeout")
        {
            Description = "How long a member with group.protocol=consumer may be silent before its partitions go to others, or a static one "
                + $"may be away; up to {Durations.Format(_sessionMax)}. Members of the classic protocol say so themselves.",
            HelpName = "DURATION",
            DefaultValueFactory = _ => Durations.Format(_sessionDefault),
        };
        session.Validators.Add(result =>
        {
            if (!TryReadSession(result.GetValueOrDefault<string>(), out _))
            {
                result.AddError($"--session-timeout is {result.GetValueOrDefault<string>()}; allowed: 1s to {Durations.Format(_sessionMax)}, such as 45s");
            }
        });
        var command = new Command(
            "broker",
            "Run a Kafka broker in memory, for trying out and for tests only: nothing is written to disk, about 5 MiB are kept for "
            + "each partition, and all is gone when it stops.")
        {
            portFile,
            topics,
            session,
        };
        command.SetAction(async (result, cancel) =>
        {
            using var shutdown = context.OpenShutdownSignal();
            _ = TryReadSession(result.GetRequiredValue(session), out var sessionTimeout);
            using var broker = backend.StartBroker([.. result.GetValue(topics)!.Select(text => ReadTopic(text)!)], sessionTimeout);
            context.Error.WriteLine(
                $"weir broker: {broker.Bootstrap} is ready. In memory, for trying out and tests only: old messages go, "
                + "all are gone at the end.");
            context.Output.WriteLine(broker.Bootstrap);
            await context.Output.FlushAsync(cancel);
            var file = result.GetValue(portFile);
            if (file is not null)
            {
                AtomicFile.Write(file, broker.Bootstrap);
            }

            await shutdown.WaitAsync();
            if (file is not null)
            {
                File.Delete(file);
            }

            return ExitCodes.Ok;
        });
        return command;
    }

    private static bool TryReadSession(string? text, out TimeSpan timeout) =>
        Durations.TryParse(text ?? "", out timeout) && timeout >= TimeSpan.FromSeconds(1) && timeout <= _sessionMax;

    private static BrokerTopic? ReadTopic(string text)
    {
        var colon = text.LastIndexOf(':');
        return colon > 0
            && TopicsSpec.IsTopicName(text[..colon])
            && int.TryParse(text.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var partitionCount)
            && partitionCount is >= 1 and <= PartitionsMax
                ? new BrokerTopic(text[..colon], partitionCount)
                : null;
    }
}
