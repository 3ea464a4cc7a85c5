using System.CommandLine;
using Weir.Host.Admin;

namespace Weir.Host.Commands;

/// <summary><c>weir query</c>: SQL against either sink.</summary>
internal static class QueryCommand
{
    private const string TerminalFormat = "PrettyCompact";
    private const string ColourlessFormat = "PrettyCompactNoEscapes";
    private const string PipeFormat = "TSV";

    /// <summary>The command.</summary>
    public static Command Create(CommandContext context, IWeirBackend backend)
    {
        var sql = new Argument<string>("SQL") { Description = "The question; tables without a database are those of clickhouse.database." };
        var config = ConfigOption.Create();
        var format = new Option<string?>("--format", "-f")
        {
            Description = "An output format of ClickHouse, such as TSV, CSV, JSON, JSONEachRow, Vertical. "
                + "Without it a table on a terminal, else TSV. A FORMAT in the SQL wins.",
            HelpName = "F",
        };
        format.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<string?>() is { } text && !QueryFormats.IsName(text))
            {
                result.AddError($"--format is '{text}'; allowed: a format name of letters and digits, such as TSV or JSONEachRow");
            }
        });
        var command = new Command(
            "query",
            "Ask ClickHouse. Works while 'weir run' holds the embedded store: the question then goes through its admin endpoint.")
        {
            sql,
            config,
            format,
        };
        command.SetAction(async (result, cancel) =>
        {
            if (ConfigOption.Load(result.GetValue(config), context) is not { } loaded)
            {
                return ExitCodes.Refused;
            }

            var chosen = result.GetValue(format) ?? DefaultFormat(context);
            await using var store = new StoreQuestions(loaded.Options, backend);
            await store.AskAsync(result.GetRequiredValue(sql), chosen, context.OutputStream, cancel);
            await context.OutputStream.FlushAsync(cancel);
            return ExitCodes.Ok;
        });
        return command;
    }

    private static string DefaultFormat(CommandContext context) =>
        !context.IsOutputTerminal ? PipeFormat : context.HasColour ? TerminalFormat : ColourlessFormat;
}
