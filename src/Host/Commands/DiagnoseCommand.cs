using System.CommandLine;
using System.Globalization;
using Weir.Host.Admin;
using Weir.Host.Diagnosis;

namespace Weir.Host.Commands;

/// <summary><c>weir diagnose</c>: what holds the flow up or loses records, by the running weir's own measurements.</summary>
internal static class DiagnoseCommand
{
    private static readonly TimeSpan _answerTimeout = TimeSpan.FromSeconds(10);

    /// <summary>The command.</summary>
    public static Command Create(CommandContext context)
    {
        var admin = new AdminOption();
        var json = new Option<bool>("--json") { Description = "Write the report as JSON." };
        var command = new Command(
            "diagnose",
            "Ask a weir that runs what is wrong: which stage bounds the flow, which queue or server loses or holds up records, who causes it, "
            + "and which option to change. Exit 0 healthy, 1 degraded or losing, 2 could not look.");
        admin.AddTo(command);
        command.Options.Add(json);
        command.SetAction(async (result, cancel) =>
        {
            try
            {
                if (admin.Find(result, context) is not { } found)
                {
                    return ExitCodes.Refused;
                }

                var report = await AskAsync(found.Url, found.Token, cancel);
                context.Output.Write(result.GetValue(json) ? DiagnosisJson.Write(report) : TextOf(report));
                return report.Verdict == "healthy" ? ExitCodes.Ok : ExitCodes.Failed;
            }
            catch (Exception error) when (error is CommandException or IOException or System.Text.Json.JsonException)
            {
                context.WriteError(error.Message);
                return ExitCodes.Refused;
            }
        });
        return command;
    }

    private static async Task<DiagnosisReport> AskAsync(Uri url, string? token, CancellationToken cancel)
    {
        using var client = AdminClient.Create(token, _answerTimeout);
        using var response = await AdminClient.GetAsync(client, url, "diagnose", cancel);
        return DiagnosisJson.Read(await response.Content.ReadAsStringAsync(cancel));
    }

    private static string TextOf(DiagnosisReport report)
    {
        var text = new StringWriter(CultureInfo.InvariantCulture);
        text.Write($"{report.Verdict}, in the last {report.WindowS:0.#} s");
        text.WriteLine(report.Headroom is { } headroom ? $"; headroom {headroom:P0}" : "");
        text.WriteLine($"limit: {report.Limit.Stage}: {report.Limit.Why}");
        foreach (var line in report.InsertLog?.Lines ?? [])
        {
            text.WriteLine($"clickhouse: {line}");
        }

        foreach (var finding in report.Findings)
        {
            text.WriteLine();
            text.WriteLine($"{finding.Severity.ToString().ToLowerInvariant()}: {finding.Id} at {finding.Queue ?? finding.Stage}{(finding.Party is null ? "" : $", by {finding.Party}")}");
            text.WriteLine($"  {finding.Title}");
            foreach (var evidence in finding.Evidence)
            {
                text.WriteLine($"  - {evidence}");
            }

            if (finding.Rate is { } rate)
            {
                text.WriteLine($"  rate: {rate:N1} a second");
            }

            text.WriteLine($"  since {finding.Since:HH:mm:ss}, last {finding.Last:HH:mm:ss} UTC");
            text.WriteLine(finding.Option is null ? "  no option of weir helps" : $"  change {finding.Option}: {finding.From} -> {finding.To}");
        }

        return text.ToString();
    }
}
