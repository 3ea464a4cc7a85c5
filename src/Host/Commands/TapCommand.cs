using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Weir.Host.Admin;

namespace Weir.Host.Commands;

/// <summary><c>weir tap</c>: live records of a weir that runs.</summary>
internal static class TapCommand
{
    /// <summary>The command.</summary>
    public static Command Create(CommandContext context)
    {
        var admin = new AdminOption();
        var stage = new Option<string>("--stage") { Description = "decoded, folded or rejected.", HelpName = "STAGE", DefaultValueFactory = _ => "decoded" };
        stage.AcceptOnlyFromAmong("decoded", "folded", "rejected");
        var filter = new Option<string>("--filter")
        {
            Description = "Conditions joined by 'and', such as \"dst_port = 443 and bytes > 1000\"; for rejected ones reason, topic, partition.",
            HelpName = "TEXT",
            DefaultValueFactory = _ => "",
        };
        var limit = new Option<int>("--limit") { Description = "Records to show.", HelpName = "N", DefaultValueFactory = _ => 10 };
        var seconds = new Option<int>("--seconds") { Description = "Longest time to wait for them.", HelpName = "N", DefaultValueFactory = _ => 30 };
        var view = new Option<string?>("--view") { Description = "With --stage folded, the view; without it, the finest.", HelpName = "NAME" };
        var json = new Option<bool>("--json") { Description = "Write lines of JSON." };
        var command = new Command(
            "tap", "Show live records of a weir that runs, as they pass by: nothing is taken out, held up or lost. Rejected ones come with reason and hex.")
        {
            stage, filter, limit, seconds, view, json,
        };
        admin.AddTo(command);
        command.SetAction(async (result, cancel) =>
        {
            if (admin.Find(result, context) is not { } found)
            {
                return ExitCodes.Refused;
            }

            var path = string.Create(
                CultureInfo.InvariantCulture,
                $"tap?stage={result.GetValue(stage)}&filter={Uri.EscapeDataString(result.GetValue(filter) ?? "")}&limit={result.GetValue(limit)}&seconds={result.GetValue(seconds)}&view={Uri.EscapeDataString(result.GetValue(view) ?? "")}");
            using var client = AdminClient.Create(found.Token);
            using var response = await AdminClient.GetAsync(client, found.Url, path, cancel);
            using var lines = new StreamReader(await response.Content.ReadAsStreamAsync(cancel));
            while (await lines.ReadLineAsync(cancel) is { } line)
            {
                await context.Output.WriteLineAsync(result.GetValue(json) ? line : TextOf(line));
            }

            return ExitCodes.Ok;
        });
        return command;
    }

    /// <summary>One line of <c>name=value</c>; numbers that are 0 and texts that are empty are left out.</summary>
    private static string TextOf(string line)
    {
        using var json = JsonDocument.Parse(line);
        return string.Join(' ', json.RootElement.EnumerateObject()
            .Where(field => field.Value.ToString() is not ("0" or "") || field.Name == "partition")
            .Select(field => $"{field.Name}={field.Value}"));
    }
}
