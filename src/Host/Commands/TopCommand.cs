using System.CommandLine;
using Weir.Host.Admin;
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
        var config = ConfigOption.Create();
        var url = new Option<Uri?>("--url")
        {
            Description = "Address of the admin endpoint; without it, that of the configuration.",
            HelpName = "URL",
            CustomParser = result =>
            {
                if (Uri.TryCreate(result.Tokens[0].Value, UriKind.Absolute, out var address) && address.Scheme is "http" or "https")
                {
                    return address;
                }

                result.AddError($"--url is '{result.Tokens[0].Value}'; allowed: http://host:port/");
                return null;
            },
        };
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
            config,
            url,
            interval,
        };
        command.SetAction(async (result, _) =>
        {
            var address = result.GetValue(url);
            if (address is null)
            {
                if (ConfigOption.Load(result.GetValue(config), context) is not { } loaded)
                {
                    return ExitCodes.Refused;
                }

                address = AddressOf(loaded.Options);
            }

            using var shutdown = context.OpenShutdownSignal();
            using var source = new TopSource(address);
            return await new TopRun(context, source, TimeSpan.FromSeconds(result.GetValue(interval)), TimeProvider.System)
                .RunAsync(shutdown.Token);
        });
        return command;
    }

    // A run with an embedded store has left its address there, which also tells a port that was taken freely.
    private static Uri AddressOf(WeirOptions options) =>
        (options.Writer.EmbeddedPath is { } directory ? AdminFile.Read(directory) : null) ?? AdminClient.UrlOf(options.Admin.Listen);
}
