using System.CommandLine;
using Weir.Host.Options;

namespace Weir.Host.Commands;

/// <summary><c>weir docs</c>, hidden: the reference pages that are made from the program. Tests compare them with the files.</summary>
internal static class DocsCommand
{
    /// <summary>The command.</summary>
    public static Command Create(CommandContext context)
    {
        var page = new Argument<string>("page") { Description = "configuration or metrics." };
        page.AcceptOnlyFromAmong("configuration", "metrics");
        var command = new Command("docs", "Print a reference page that is made from the program.") { page };
        command.Hidden = true;
        command.SetAction(result =>
        {
            context.Output.Write(result.GetValue(page) == "metrics" ? MetricsReference.Write() : OptionsReference.Write());
            return ExitCodes.Ok;
        });
        return command;
    }
}
