using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.RegularExpressions;
using Weir.Tests.Support;
using Xunit;

namespace Weir.Tests.Deploy;

/// <summary>Everything that a weir says, by whatever way, to be searched for what it must not say.</summary>
internal sealed partial class AllOutputs : IAsyncDisposable
{
    /// <summary>What each endpoint is asked; those that go on for ever are read up to their first event.</summary>
    private static readonly Dictionary<string, string> _questions = new()
    {
        ["/"] = "",
        ["/assets/{name}"] = "assets/main.js",
        ["/configuration"] = "configuration",
        ["/diagnose"] = "diagnose",
        ["/events"] = "events",
        ["/healthz"] = "healthz",
        ["/history"] = "history",
        ["/metrics"] = "metrics?snapshot=true",
        ["/positions"] = "positions",
        ["/profile"] = "profile?kind=alloc&seconds=1",
        ["/query"] = "query?query=SELECT+name,+value+FROM+system.settings",
        ["/queues"] = "queues",
        ["/reading"] = "reading",
        ["/readyz"] = "readyz",
        ["/reload"] = "reload",
        ["/slow-cuts"] = "slow-cuts",
        ["/tap"] = "tap?stage=decoded&seconds=1",
    };

    private readonly ConcurrentQueue<(string From, byte[] Bytes)> _said = [];
    private readonly HttpListener _collector = new();
    private readonly Task _collecting;

    internal AllOutputs()
    {
        CollectorUrl = new Uri($"http://127.0.0.1:{ClickHouseServer.FreePort()}/");
        _collector.Prefixes.Add(CollectorUrl.AbsoluteUri);
        _collector.Start();
        _collecting = CollectAsync();
    }

    /// <summary>Where spans go: a collector whose requests are outputs, too.</summary>
    internal Uri CollectorUrl { get; }

    /// <summary>The ways by which something was said.</summary>
    internal IEnumerable<string> Ways => _said.Select(said => said.From).Distinct();

    /// <summary>The endpoints that the program has, by its source; one that is new has to be asked here as well.</summary>
    internal static IEnumerable<string> Endpoints() => Directory
        .EnumerateFiles(RepositoryPaths.Of("src", "Host"), "*.cs", SearchOption.AllDirectories)
        .SelectMany(file => Route().Matches(File.ReadAllText(file)).Select(match => match.Groups[1].Value));

    /// <summary>Takes down what was said.</summary>
    internal void Add(string from, string text) => _said.Enqueue((from, Encoding.UTF8.GetBytes(text)));

    /// <summary>Runs a command, whatever becomes of it.</summary>
    internal async Task RunAsync(string directory, IReadOnlyDictionary<string, string> environment, params string[] arguments)
    {
        var (_, output, error) = await ProgramProcess.RunAsync(directory, environment, arguments);
        Add($"weir {arguments[0]}", output + error);
    }

    /// <summary>Asks every endpoint, whatever it answers, the headers included.</summary>
    internal async Task AskAsync(Uri url, string? token)
    {
        Assert.Equal(Endpoints().Order(), _questions.Keys.Order());
        using var client = new HttpClient { Timeout = TimeSpan.FromSeconds(60) };
        client.DefaultRequestHeaders.Authorization = token is null ? null : new AuthenticationHeaderValue("Bearer", token);
        foreach (var (route, path) in _questions)
        {
            using var request = new HttpRequestMessage(route == "/reload" ? HttpMethod.Post : HttpMethod.Get, new Uri(url, path));
            request.Headers.Add("Weir-Reload", "1");
            using var answer = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
            Add(route, $"{answer.Headers}{answer.Content.Headers}");
            _said.Enqueue((route, route == "/events" ? await FirstEventAsync(answer) : await answer.Content.ReadAsByteArrayAsync()));
        }
    }

    /// <summary>Where a text is, as UTF-8, or as UTF-16, as in profiles; or as Base64, as in a header of HTTP's basic authentication.</summary>
    internal IReadOnlyList<string> WaysThatSay(string text)
    {
        byte[][] forms = [Encoding.UTF8.GetBytes(text), Encoding.Unicode.GetBytes(text), Encoding.UTF8.GetBytes(Convert.ToBase64String(Encoding.UTF8.GetBytes(text)))];
        return [.. _said.Where(said => forms.Any(form => said.Bytes.AsSpan().IndexOf(form) >= 0)).Select(said => said.From).Distinct()];
    }

    public async ValueTask DisposeAsync()
    {
        _collector.Stop();
        await _collecting;
        _collector.Close();
    }

    private static async Task<byte[]> FirstEventAsync(HttpResponseMessage answer)
    {
        using var reader = new StreamReader(await answer.Content.ReadAsStreamAsync());
        var text = new StringBuilder();
        while (await reader.ReadLineAsync() is { } line && !(line.Length == 0 && text.Length > 0))
        {
            text.AppendLine(CultureInfo.InvariantCulture, $"{line}");
        }

        return Encoding.UTF8.GetBytes(text.ToString());
    }

    private async Task CollectAsync()
    {
        try
        {
            while (true)
            {
                var context = await _collector.GetContextAsync();
                using var body = new MemoryStream();
                await context.Request.InputStream.CopyToAsync(body);
                Add("spans", $"{context.Request.Url} {context.Request.Headers}");
                _said.Enqueue(("spans", body.ToArray()));
                context.Response.Close();
            }
        }
        catch (Exception error) when (error is HttpListenerException or ObjectDisposedException)
        {
            // The end of the test.
        }
    }

    [GeneratedRegex(@"\.Map(?:Get|Post|Methods)\(""([^""]*)""")]
    private static partial Regex Route();
}
