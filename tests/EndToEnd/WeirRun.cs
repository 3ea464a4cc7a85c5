using System.Globalization;
using System.Net.Http.Headers;
using System.Text.Json;
using Weir.Tests.Support;
using Xunit;

namespace Weir.Tests.EndToEnd;

/// <summary>A <c>weir run</c> process, and what its users see of it: log, admin endpoint, <c>weir query</c>, exit code.</summary>
internal sealed class WeirRun : IDisposable
{
    private readonly string _directory;
    private readonly string _configFile;
    private readonly HttpClient _client = new();

    private WeirRun(string directory, string configFile, ProgramProcess process)
    {
        _directory = directory;
        _configFile = configFile;
        Process = process;
    }

    /// <summary>The process.</summary>
    public ProgramProcess Process { get; }

    /// <summary>Its admin endpoint.</summary>
    public Uri AdminUrl => _client.BaseAddress!;

    /// <summary>Starts it and waits until its admin endpoint is open.</summary>
    public static Task<WeirRun> StartAsync(string directory, string configFile, IReadOnlyDictionary<string, string>? environment) =>
        OfAsync(directory, configFile, ProgramProcess.Start(directory, environment, "run", "-c", configFile));

    /// <summary>A <c>weir run</c> that was started in another way; waits until its admin endpoint is open.</summary>
    public static async Task<WeirRun> OfAsync(string directory, string configFile, ProgramProcess process)
    {
        var run = new WeirRun(directory, configFile, process);
        try
        {
            const string Before = "admin at ";
            var line = await run.Process.LineAsync(Before);
            run._client.BaseAddress = new Uri(line[(line.IndexOf(Before, StringComparison.Ordinal) + Before.Length)..].Trim());
            return run;
        }
        catch
        {
            run.Dispose();
            throw;
        }
    }

    /// <summary>Brings the token of its admin endpoint with each question from now on.</summary>
    public void Authorize(string token) => _client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token);

    /// <summary>Every series of <c>/metrics</c>, with its labels as they are printed.</summary>
    public async Task<IReadOnlyDictionary<string, double>> MetricsAsync() => (await _client.GetStringAsync("metrics")).Split('\n')
        .Where(line => line.Length > 0 && line[0] != '#')
        .ToDictionary(
            line => line[..line.LastIndexOf(' ')],
            line => double.Parse(line[(line.LastIndexOf(' ') + 1)..], CultureInfo.InvariantCulture));

    /// <summary>The sum of a metric over those of its series that have all the labels.</summary>
    public async Task<double> MetricAsync(string name, params string[] labels) => (await MetricsAsync())
        .Where(series => series.Key.Split('{')[0] == name && labels.All(label => series.Key.Contains(label, StringComparison.Ordinal)))
        .Sum(series => series.Value);

    /// <summary>A line of the account of what is stored: read, folded, rejected, late, dropped, overwritten.</summary>
    public async Task<long> AccountAsync(string line) => (long)await MetricAsync("weir_writer_account_records_total", $"line=\"{line}\"");

    /// <summary>A page of the admin endpoint as text, whatever its status.</summary>
    public async Task<string> PageAsync(string path)
    {
        using var response = await _client.GetAsync(new Uri(path, UriKind.Relative));
        return await response.Content.ReadAsStringAsync();
    }

    /// <summary><c>/queues</c> or <c>/positions</c>.</summary>
    public async Task<IReadOnlyList<JsonElement>> ListAsync(string path)
    {
        using var json = JsonDocument.Parse(await _client.GetStringAsync(path));
        return [.. json.RootElement.EnumerateArray().Select(element => element.Clone())];
    }

    /// <summary>Fails unless read = folded + rejected + late + dropped + overwritten, and read is as many as the test says.</summary>
    public async Task AssertAccountClosesAsync(long readCount)
    {
        long[] terms =
        [
            await AccountAsync("folded"), await AccountAsync("rejected"), await AccountAsync("late"), await AccountAsync("dropped"),
            await AccountAsync("overwritten"),
        ];
        Assert.Equal(readCount, await AccountAsync("read"));
        Assert.True(readCount == terms.Sum(), $"{readCount} read, but {string.Join(" + ", terms)}.");
    }

    /// <summary>Waits until the partitions of this process and of the others are committed up to what was produced.</summary>
    /// <param name="produced">Messages by topic and partition.</param>
    /// <param name="others">Further processes of the group.</param>
    public async Task StoredAsync(IReadOnlyDictionary<(string Topic, int Partition), long> produced, params WeirRun[] others)
    {
        var last = "nothing";
        await Eventually.TrueAsync(
            async () =>
            {
                var committed = new Dictionary<(string, int), long>();
                foreach (var run in others.Prepend(this))
                {
                    foreach (var position in await run.ListAsync("positions"))
                    {
                        var key = (position.GetProperty("topic").GetString()!, position.GetProperty("partition").GetInt32());
                        committed[key] = Math.Max(committed.GetValueOrDefault(key), position.GetProperty("committed_offset").GetInt64());
                    }
                }

                last = string.Join(", ", committed);
                return produced.All(partition => committed.GetValueOrDefault(partition.Key) >= partition.Value);
            },
            () => $"all of {string.Join(", ", produced)} stored; committed are {last}; the log:\n{Process.ErrorText}",
            TimeSpan.FromSeconds(60));
    }

    /// <summary>Asks with <c>weir query</c>, a process of its own.</summary>
    /// <returns>The rows as TSV.</returns>
    public async Task<IReadOnlyList<string>> QueryAsync(string sql)
    {
        var (code, output, error) = await ProgramProcess.RunAsync(_directory, null, "query", sql, "-c", _configFile, "--format", "TSV");
        Assert.True(code == 0, $"{sql}\n{error}");
        return output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }

    /// <summary>A single number.</summary>
    public async Task<long> NumberAsync(string sql) => long.Parse(Assert.Single(await QueryAsync(sql)), CultureInfo.InvariantCulture);

    /// <summary>SIGTERM, and the exit code.</summary>
    public Task<int> StopAsync()
    {
        Process.Signal("TERM");
        return Process.ExitCodeAsync();
    }

    public void Dispose()
    {
        Process.Dispose();
        _client.Dispose();
    }
}
