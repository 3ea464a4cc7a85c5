using System.CommandLine;
using Weir.Host.Top;

namespace Weir.Host.Commands;

/// <summary><c>weir top</c>: what the page shows, on a terminal.</summary>
internal static class TopCommand
{
    private const double IntervalDefault = 1;
    private const double IntervalMin = 0.2;
    private const double IntervalMax = 60;

    /// <summary>The command.</summary>
    public static Command Create(CommandContext context)
    {
        var admin = new AdminOption();
        var interval = new Option<double>("--interval")
        {
            Description = "Seconds between two looks.",
            HelpName = "S",
            DefaultValueFactory = _ => IntervalDefault,
        };
        interval.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<double>() is not (>= IntervalMin and <= IntervalMax))
            {
                result.AddError($"--interval must be {IntervalMin} to {IntervalMax} seconds");
            }
        });
        var command = new Command(
            "top",
            "Show a running weir live: the path with its rates and losses, queues, partitions, the account, the verdict. Ctrl-C ends "
            + "it. Where the output is no terminal, it prints one look and ends.")
        {
            interval,
        };
        admin.AddTo(command);
        command.SetAction(async (result, _) =>
        {
            (Uri Url, string? Token)? found;
            try
            {
                found = admin.Find(result, context);
            }
            catch (IOException error)
            {
                context.WriteError(error.Message);
                return ExitCodes.Refused;
            }

            if (found is not { } weir)
            {
                return ExitCodes.Refused;
            }

            using var shutdown = context.OpenShutdownSignal();
            using var source = new TopSource(weir.Url, weir.Token);
            return await new TopRun(context, source, TimeSpan.FromSeconds(result.GetValue(interval)), TimeProvider.System)
                .RunAsync(shutdown.Token);
        });
        return command;
    }
}
