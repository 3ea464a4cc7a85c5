using System.Diagnostics;
using System.Text;
using System.Text.Json;
using Weir.Tests.Support;

namespace Weir.Tests.Alerts;

/// <summary>A private Prometheus of the machine, which scrapes one weir each second.</summary>
internal sealed class PrometheusServer : IAsyncDisposable
{
    private readonly HttpClient _client = new();
    private readonly StringBuilder _output = new();
    private readonly Process _process;

    private PrometheusServer(ProcessStartInfo start, Uri url)
    {
        _client.BaseAddress = url;
        _process = new Process { StartInfo = start };
        _process.OutputDataReceived += Keep;
        _process.ErrorDataReceived += Keep;
        _process.Start();
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }

    /// <summary>What it has printed so far.</summary>
    public string Output
    {
        get
        {
            lock (_output)
            {
                return _output.ToString();
            }
        }
    }

    /// <summary>Starts it and waits until it serves.</summary>
    /// <param name="directory">Where its files go.</param>
    /// <param name="target">The admin endpoint.</param>
    /// <param name="rulesFile">The rules.</param>
    public static async Task<PrometheusServer> StartAsync(string directory, Uri target, string rulesFile)
    {
        var config = Path.Combine(directory, "prometheus.yaml");
        await File.WriteAllTextAsync(config, $$"""
            global: { scrape_interval: 1s, evaluation_interval: 1s }
            rule_files: [ "{{rulesFile}}" ]
            scrape_configs:
              - job_name: weir
                static_configs: [ { targets: [ "{{target.Authority}}" ] } ]
            """);
        var port = ClickHouseServer.FreePort();
        var start = new ProcessStartInfo(RealParts.RequireProgram("prometheus"))
        {
            WorkingDirectory = directory,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (var argument in (string[])[
            $"--config.file={config}", $"--storage.tsdb.path={directory}/prometheus", $"--web.listen-address=127.0.0.1:{port}"])
        {
            start.ArgumentList.Add(argument);
        }

        var server = new PrometheusServer(start, new Uri($"http://127.0.0.1:{port}/"));
        try
        {
            await Eventually.TrueAsync(server.IsReadyAsync, () => $"Prometheus ready; it said\n{server.Output}");
            return server;
        }
        catch
        {
            await server.DisposeAsync();
            throw;
        }
    }

    /// <summary>Waits until a query has an answer.</summary>
    public Task HasAsync(string query) => Eventually.TrueAsync(
        async () => (await AskAsync($"api/v1/query?query={Uri.EscapeDataString(query)}")).GetProperty("result").GetArrayLength() > 0,
        () => $"an answer to {query}; Prometheus said\n{Output}");

    /// <summary>Names of the alerts that fire, each once, ordered.</summary>
    public async Task<IReadOnlyList<string>> FiringAsync() => [.. (await AskAsync("api/v1/alerts")).GetProperty("alerts").EnumerateArray()
        .Where(alert => alert.GetProperty("state").GetString() == "firing")
        .Select(alert => alert.GetProperty("labels").GetProperty("alertname").GetString()!)
        .Distinct()
        .Order()];

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
            await _process.WaitForExitAsync();
        }

        _process.Dispose();
        _client.Dispose();
    }

    private async Task<bool> IsReadyAsync()
    {
        try
        {
            using var answer = await _client.GetAsync("-/ready");
            return answer.IsSuccessStatusCode;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }

    private async Task<JsonElement> AskAsync(string path)
    {
        using var json = JsonDocument.Parse(await _client.GetStringAsync(path));
        return json.RootElement.GetProperty("data").Clone();
    }

    private void Keep(object sender, DataReceivedEventArgs line)
    {
        lock (_output)
        {
            _output.AppendLine(line.Data);
        }
    }
}
