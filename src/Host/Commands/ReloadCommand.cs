using System.CommandLine;
using System.Net;
using System.Text.Json;
using Weir.Host.Admin;
using Weir.Host.Reload;

namespace Weir.Host.Commands;

/// <summary><c>weir reload</c>: asks a weir that runs on this machine to take its changed configuration.</summary>
internal static class ReloadCommand
{
    private static readonly TimeSpan _timeout = TimeSpan.FromSeconds(60);

    /// <summary>The command.</summary>
    public static Command Create(CommandContext context)
    {
        var config = ConfigOption.Create();
        var url = new Option<string?>("--url") { Description = "Address of its admin endpoint; admin.listen without it.", HelpName = "URL" };
        var command = new Command(
            "reload",
            "Ask the weir that runs here to read its configuration anew. A file with an error is refused whole. Exit 0 when it was taken, else 2.")
        {
            config, url,
        };
        command.SetAction(async (result, cancel) =>
        {
            if (!Uri.TryCreate(result.GetValue(url), UriKind.Absolute, out var endpoint))
            {
                if (result.GetValue(url) is { } text)
                {
                    throw new CommandException($"--url {text} is not an address; allowed: one such as http://127.0.0.1:9526/");
                }

                // The running weir judges the file; this one only wants to know where to ask.
                if (ConfigOption.Read(result.GetValue(config), context) is not { } loaded)
                {
                    return ExitCodes.Refused;
                }

                endpoint = AdminClient.UrlOf(loaded.Options.Admin.Listen);
            }

            var report = await AskAsync(endpoint, cancel);
            context.Error.WriteLine($"weir reload: {report}");
            return report.IsRefused ? ExitCodes.Refused : ExitCodes.Ok;
        });
        return command;
    }

    private static async Task<ReloadReport> AskAsync(Uri endpoint, CancellationToken cancel)
    {
        using var handler = new SocketsHttpHandler { UseProxy = false };
        using var client = new HttpClient(handler) { Timeout = _timeout };
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(endpoint, "reload"));
        request.Headers.Add(ReloadEndpoint.Header, "1");
        try
        {
            using var response = await client.SendAsync(request, cancel);
            if (response.StatusCode is HttpStatusCode.OK or HttpStatusCode.UnprocessableEntity
                && JsonSerializer.Deserialize<ReloadReport>(await response.Content.ReadAsStringAsync(cancel), JsonSerializerOptions.Web) is { } report)
            {
                return report;
            }

            throw new CommandException($"{endpoint} answers {(int)response.StatusCode}; it takes a reload only from its own machine, and only a weir that runs");
        }
        catch (Exception error) when (error is HttpRequestException or JsonException || (error is OperationCanceledException && !cancel.IsCancellationRequested))
        {
            throw new CommandException($"no weir answers at {endpoint} ({error.Message}); start it, or name its admin endpoint with --url", error);
        }
    }
}
