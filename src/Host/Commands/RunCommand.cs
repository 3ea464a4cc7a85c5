using System.CommandLine;

namespace Weir.Host.Commands;

/// <summary><c>weir run</c>: the pipeline, until it is told to stop.</summary>
internal static class RunCommand
{
    /// <summary>The command.</summary>
    public static Command Create(CommandContext context, IWeirBackend backend)
    {
        var config = ConfigOption.Create();
        var command = new Command(
            "run",
            "Run the pipeline. SIGTERM or Ctrl-C stores what was read, commits and exits within shutdown.timeout; "
            + "a second Ctrl-C exits at once.")
        {
            config,
        };
        command.SetAction(async (result, _) =>
        {
            if (ConfigOption.Load(result.GetValue(config), context) is not { } loaded)
            {
                return ExitCodes.Refused;
            }

            using var shutdown = context.OpenShutdownSignal();
            return await backend.RunAsync(loaded with { File = result.GetValue(config) }, context, shutdown);
        });
        return command;
    }
}
