using System.CommandLine;
using System.CommandLine.Help;
using System.Reflection;

namespace Weir.Host.Commands;

/// <summary>The command line: the commands, help, and how errors are told.</summary>
internal static class WeirProgram
{
    private const string Summary = """
        Weir reads flow records from Kafka, folds them by tag set in memory, and writes the sums to ClickHouse.
        Every record read is stored, or counted by name at the line that lost it, and the account closes.

        First steps:
          weir demo                            real flow records through the whole path, 30 seconds, nothing to set up
          weir check -c weir.yaml              is the configuration right, are Kafka and ClickHouse there
          weir run -c weir.yaml                the pipeline; Ctrl-C stores what was read and stops
          weir query -c weir.yaml "SELECT time, sum(bytes) FROM service_1m GROUP BY time ORDER BY time"
          weir diagnose                        where the flow is held up or loses records, and which option to change
          weir audit -c weir.yaml              is each record that was read in the sums once, or in a named loss
          weir top -c weir.yaml                the running pipeline, live; a browser shows more at the admin address

        Without a Kafka or a ClickHouse at hand:
          weir broker --port-file broker.port --topic flows:4 &
          WEIR__KAFKA__BOOTSTRAP=$(cat broker.port) WEIR__CLICKHOUSE__EMBEDDED=./weir-data weir run

        Each option of the file has a variable: flush.interval is WEIR__FLUSH__INTERVAL. docs/configuration.md lists them.
        """;

    /// <summary>The version of the program.</summary>
    public static string Version { get; } =
        typeof(WeirProgram).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "0.0.0";

    /// <summary>Runs one command line.</summary>
    /// <returns>One of <see cref="ExitCodes"/>.</returns>
    public static async Task<int> RunAsync(IReadOnlyList<string> args, CommandContext context, IWeirBackend backend)
    {
        var root = CreateRoot(context, backend);
        var result = root.Parse(args.Count == 0 ? ["--help"] : args);
        if (result.Errors.Count > 0 && result.Action is not HelpAction)
        {
            foreach (var error in result.Errors)
            {
                context.WriteError(error.Message.TrimEnd('.'));
            }

            var path = result.CommandResult.Command is RootCommand ? "" : result.CommandResult.Command.Name + " ";
            context.WriteError($"the command line is wrong; see 'weir {path}--help'");
            return ExitCodes.Refused;
        }

        var configuration = new InvocationConfiguration
        {
            Output = context.Output,
            Error = context.Error,
            EnableDefaultExceptionHandler = false,
            ProcessTerminationTimeout = null, // ShutdownSignal takes the signals.
        };
        try
        {
            return await result.InvokeAsync(configuration);
        }
        catch (CommandException error)
        {
            context.WriteError(error.Message);
            return ExitCodes.Failed;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or DllNotFoundException)
        {
            context.WriteError(error.Message);
            return ExitCodes.Failed;
        }
    }

    /// <summary>All commands.</summary>
    public static RootCommand CreateRoot(CommandContext context, IWeirBackend backend)
    {
        var root = new RootCommand($"{Summary}{Environment.NewLine}{Environment.NewLine}{ExitCodes.Help}")
        {
            RunCommand.Create(context, backend),
            CheckCommand.Create(context, backend),
            QueryCommand.Create(context, backend),
            AuditCommand.Create(context, backend),
            DiagnoseCommand.Create(context),
            TapCommand.Create(context),
            ProfileCommand.Create(context),
            DeadLettersCommand.Create(context),
            SchemaCommand.Create(context, backend),
            ReloadCommand.Create(context),
            RekeyCommand.Create(context),
            BrokerCommand.Create(context, backend),
            TopCommand.Create(context),
            DemoCommand.Create(context, backend),
            DocsCommand.Create(context),
        };
        return root;
    }
}
