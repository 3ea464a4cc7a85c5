using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using Weir.Loadgen.Replay;

namespace Weir.Loadgen.Shadow;

/// <summary>What a pipeline is started with.</summary>
public sealed record PipelineOptions
{
    /// <summary>A word for messages: a or b.</summary>
    public required string Name { get; init; }

    /// <summary>The weir program.</summary>
    public required string Program { get; init; }

    /// <summary>Its configuration; null for all defaults.</summary>
    public string? ConfigFile { get; init; }

    /// <summary>Where its embedded store goes, when the sink is not a server.</summary>
    public required string Directory { get; init; }

    /// <summary>A server in the place of the embedded store: its address.</summary>
    public string? ClickHouseUrl { get; init; }

    /// <summary>The broker.</summary>
    public required string Bootstrap { get; init; }

    /// <summary>The topic.</summary>
    public required string Topic { get; init; }

    /// <summary>Format of its records.</summary>
    public required string Format { get; init; }
}

/// <summary>One <c>weir run</c> with a group, a database and an admin port of its own; it may be started again after a crash.</summary>
/// <remarks>One thread drives it.</remarks>
public sealed class WeirPipeline : IDisposable
{
    private static readonly TimeSpan _questionTimeout = TimeSpan.FromSeconds(10);

    private readonly PipelineOptions _options;
    private readonly HttpClient _client = new() { Timeout = _questionTimeout };
    private readonly Dictionary<string, string> _environment;
    private readonly string _configFile;
    private WeirProgram? _program;

    /// <summary>Prepares a pipeline; nothing is started.</summary>
    public WeirPipeline(PipelineOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        _options = options;
        var port = FreePort();
        Admin = new Uri(FormattableString.Invariant($"http://127.0.0.1:{port}/"));
        Positions = new AdminPositions(Admin);
        Directory.CreateDirectory(options.Directory);
        _configFile = options.ConfigFile ?? Path.Combine(options.Directory, "defaults.yaml");
        if (options.ConfigFile is null)
        {
            File.WriteAllText(_configFile, "{}\n");
        }

        _environment = new Dictionary<string, string>
        {
            ["WEIR__KAFKA__BOOTSTRAP"] = options.Bootstrap,
            ["WEIR__KAFKA__GROUP"] = $"weir-loadgen-{options.Name}",
            ["WEIR__KAFKA__TOPICS"] = $"[{{ name: {options.Topic}, format: {options.Format} }}]",
            ["WEIR__KAFKA__OPTIONS__FETCH_WAIT_MAX_MS"] = "10",
            ["WEIR__KAFKA__OPTIONS__SESSION_TIMEOUT_MS"] = "3000",
            ["WEIR__KAFKA__OPTIONS__HEARTBEAT_INTERVAL_MS"] = "500",
            ["WEIR__ADMIN__LISTEN"] = FormattableString.Invariant($"127.0.0.1:{port}"),
        };
        if (options.ClickHouseUrl is null)
        {
            _environment["WEIR__CLICKHOUSE__EMBEDDED"] = Path.Combine(options.Directory, "store");
        }
        else
        {
            _environment["WEIR__CLICKHOUSE__URL"] = options.ClickHouseUrl;
            _environment["WEIR__CLICKHOUSE__DATABASE"] = $"weir_loadgen_{options.Name}";
        }
    }

    /// <summary>Its admin endpoint; the same after a restart.</summary>
    public Uri Admin { get; }

    /// <summary>How far it has read.</summary>
    public AdminPositions Positions { get; }

    /// <summary>Name of the pipeline.</summary>
    public string Name => _options.Name;

    /// <summary>The process; null when it does not run.</summary>
    public WeirProgram? Process => _program is { HasExited: false } ? _program : null;

    /// <summary>What the process has written to stderr.</summary>
    public string Errors => _program?.Errors ?? string.Empty;

    /// <summary>Starts the process and waits until its admin endpoint answers.</summary>
    /// <exception cref="IOException">It ended instead.</exception>
    public async Task StartAsync(CancellationToken cancellation)
    {
        _program?.Dispose();
        _program = WeirProgram.Start(_options.Program, ["run", "-c", _configFile], _environment);
        while (await ReadMetricsAsync(cancellation) is null)
        {
            if (_program.HasExited)
            {
                throw new IOException($"weir {Name} ended: {_program.Errors}");
            }

            await Task.Delay(100, cancellation);
        }
    }

    /// <summary>Stops the process as an operator does.</summary>
    public async Task StopAsync()
    {
        if (Process is { } program && await program.StopAsync() is not 0 and var code)
        {
            throw new IOException($"weir {Name} ended with code {code}: {program.Errors}");
        }
    }

    /// <summary>All metrics, series of one name added up; null when it does not answer.</summary>
    public async Task<IReadOnlyDictionary<string, double>?> ReadMetricsAsync(CancellationToken cancellation)
    {
        try
        {
            var text = await _client.GetStringAsync(new Uri(Admin, "metrics"), cancellation);
            return text.Split('\n')
                .Where(line => line.Length > 0 && line[0] != '#')
                .Select(line => (Series: line[..line.LastIndexOf(' ')], Value: line[(line.LastIndexOf(' ') + 1)..]))
                .SelectMany(sample => ((string[])[sample.Series, sample.Series.Split('{')[0]]).Distinct(), (sample, name) =>
                    (name, sample.Value))
                .GroupBy(sample => sample.name)
                .ToDictionary(group => group.Key, group => group.Sum(sample => double.Parse(sample.Value, CultureInfo.InvariantCulture)));
        }
        catch (Exception error) when (
            error is HttpRequestException || (error is TaskCanceledException && !cancellation.IsCancellationRequested))
        {
            return null;
        }
    }

    /// <summary>True when all that was produced is stored and committed.</summary>
    /// <param name="ends">The offset after the last message of each partition.</param>
    /// <param name="cancellation">Gives up.</param>
    public async Task<bool> HasStoredAsync(IReadOnlyDictionary<int, long> ends, CancellationToken cancellation)
    {
        try
        {
            using var json = JsonDocument.Parse(await _client.GetStringAsync(new Uri(Admin, "positions"), cancellation));
            var committed = json.RootElement.EnumerateArray().ToDictionary(
                position => position.GetProperty("partition").GetInt32(), position => position.GetProperty("committed_offset").GetInt64());
            return ends.All(end => committed.GetValueOrDefault(end.Key) >= end.Value);
        }
        catch (Exception error) when (
            error is HttpRequestException or JsonException || (error is TaskCanceledException && !cancellation.IsCancellationRequested))
        {
            return false;
        }
    }

    /// <summary>Asks the store with <c>weir query</c>.</summary>
    /// <returns>Rows as TSV.</returns>
    /// <exception cref="InvalidDataException">It did not answer.</exception>
    public async Task<IReadOnlyList<string>> QueryAsync(string sql, CancellationToken cancellation)
    {
        var (code, output, errors) = await RunAsync(["query", sql, "-c", _configFile, "--format", "TSV"], cancellation);
        return code == 0
            ? output.Split('\n', StringSplitOptions.RemoveEmptyEntries)
            : throw new InvalidDataException($"weir query of {Name} failed: {errors.Trim()}");
    }

    /// <summary>Runs another command of weir with the same configuration.</summary>
    public Task<(int Code, string Output, string Errors)> RunAsync(IReadOnlyList<string> arguments, CancellationToken cancellation) =>
        WeirProgram.RunAsync(_options.Program, arguments, cancellation, _environment);

    /// <summary>Runs <c>weir audit</c>.</summary>
    /// <returns>Exit code and JSON.</returns>
    public async Task<(int Code, string Json)> AuditAsync(CancellationToken cancellation)
    {
        var (code, output, errors) = await RunAsync(["audit", "-c", _configFile, "--json"], cancellation);
        return (code, output.Length > 0 ? output : errors);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _program?.Dispose();
        Positions.Dispose();
        _client.Dispose();
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
