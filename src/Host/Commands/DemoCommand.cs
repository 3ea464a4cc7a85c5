using System.CommandLine;
using System.Globalization;

namespace Weir.Host.Commands;

/// <summary><c>weir demo</c>: the whole path on one machine, with nothing to set up.</summary>
internal static class DemoCommand
{
    private const int SecondsDefault = 30;
    private const int SecondsMax = 3_600;

    /// <summary>The command.</summary>
    public static Command Create(CommandContext context, IWeirBackend backend)
    {
        var seconds = new Option<int>("--seconds")
        {
            Description = "How long records are fed (1 to 3600).",
            HelpName = "N",
            DefaultValueFactory = _ => SecondsDefault,
        };
        seconds.Validators.Add(result =>
        {
            // By its text: asking for the value of what is no number throws.
            var text = result.Tokens.Count == 1 ? result.Tokens[0].Value : "1";
            if (!int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var value) || value is < 1 or > SecondsMax)
            {
                result.AddError($"--seconds is {text}; allowed: 1 to {SecondsMax}");
            }
        });
        var json = new Option<string?>("--json")
        {
            Description = "Write the account and the figures to FILE for a program.",
            HelpName = "FILE",
        };
        var command = new Command(
            "demo", "Feed real flow records through an embedded broker and an embedded ClickHouse, and show the account.")
        {
            seconds,
            json,
        };
        command.SetAction(async (result, _) =>
        {
            using var shutdown = context.OpenShutdownSignal();
            return await backend.DemoAsync(new DemoSettings(result.GetValue(seconds), result.GetValue(json)), context, shutdown);
        });
        return command;
    }
}
