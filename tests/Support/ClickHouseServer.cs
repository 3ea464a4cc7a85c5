using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Weir.Writer;
using Xunit;

namespace Weir.Tests.Support;

/// <summary>A private clickhouse-server of the machine, on a free port of the loopback address, in a directory of its own.</summary>
/// <remarks>A class fixture; each test uses a database of its own (<see cref="NewOptions"/>).</remarks>
public sealed class ClickHouseServer : IAsyncLifetime
{
    /// <summary>The password of <c>weir</c> and <c>reader</c>; no message may ever hold it.</summary>
    public const string Password = "geheim-8931";

    /// <summary>Ports below those that Linux takes for connections (ip_local_port_range).</summary>
    private const int PortMin = 15_000;
    private const int PortMax = 32_000;

    private static readonly TimeSpan _startTimeout = TimeSpan.FromSeconds(120);
    private static readonly ConcurrentDictionary<int, bool> _givenPorts = new();
    private static int _databaseCount;

    private readonly string _directory = Directory.CreateTempSubdirectory("weir-clickhouse-").FullName;
    private readonly HttpClient _client = new();
    private string _replication = "";
    private string _profile = "";
    private Process? _process;

    /// <summary>True for a server that logs its queries to <c>system.query_log</c>.</summary>
    internal bool HasQueryLog { get; init; }

    /// <summary>Its HTTP port; the same after a restart.</summary>
    public int Port { get; } = FreePort();

    /// <summary>Number of the process.</summary>
    internal int ProcessId => _process!.Id;

    /// <summary>Its address.</summary>
    public Uri Url => new($"http://127.0.0.1:{Port}/");

    /// <summary>A server that makes replicated tables, as one replica of the one shard.</summary>
    internal static ClickHouseServer NewReplica(int zooKeeperPort, string replica) => new()
    {
        _replication = $"""
            <zookeeper><node><host>127.0.0.1</host><port>{zooKeeperPort}</port></node><session_timeout_ms>3000</session_timeout_ms></zookeeper>
            <tcp_port>{FreePort()}</tcp_port><interserver_http_port>{FreePort()}</interserver_http_port><interserver_http_host>127.0.0.1</interserver_http_host>
            <merge_tree><zookeeper_session_expiration_check_period>1</zookeeper_session_expiration_check_period></merge_tree>
            <macros><shard>1</shard><replica>{replica}</replica></macros>
            """,
    };

    /// <summary>Servers that are the shards of one cluster, one replica each.</summary>
    internal static ClickHouseServer[] NewShards(int zooKeeperPort, string cluster, int count)
    {
        var ports = Enumerable.Range(0, count).Select(_ => FreePort()).ToArray();
        var shards = string.Concat(ports.Select(port => $"<shard><replica><host>127.0.0.1</host><port>{port}</port></replica></shard>"));
        return [.. ports.Select((port, index) => new ClickHouseServer
        {
            _replication = $"""
                <zookeeper><node><host>127.0.0.1</host><port>{zooKeeperPort}</port></node><session_timeout_ms>3000</session_timeout_ms></zookeeper>
                <tcp_port>{port}</tcp_port><interserver_http_port>{FreePort()}</interserver_http_port><interserver_http_host>127.0.0.1</interserver_http_host>
                <remote_servers><{cluster}>{shards}</{cluster}></remote_servers>
                <distributed_ddl><path>/clickhouse/task_queue/ddl</path></distributed_ddl>
                <merge_tree><zookeeper_session_expiration_check_period>1</zookeeper_session_expiration_check_period></merge_tree>
                <macros><shard>{index + 1}</shard><replica>one</replica></macros>
                """,
            _profile = "<allow_experimental_low_cardinality_type>1</allow_experimental_low_cardinality_type>",
        })];
    }

    /// <summary>A port that is free now, and that no connection is made from: a server that is down would find its own taken.</summary>
    /// <remarks>A client that tries to reach such a server again and again even connects to itself in the end.</remarks>
    public static int FreePort()
    {
        for (var attempt = 0; attempt < 1_000; attempt++)
        {
            using var listener = new TcpListener(IPAddress.Loopback, Random.Shared.Next(PortMin, PortMax));
            try
            {
                listener.Start();
                var port = ((IPEndPoint)listener.LocalEndpoint).Port;
                if (_givenPorts.TryAdd(port, true))
                {
                    return port;
                }
            }
            catch (SocketException)
            {
                // Somebody's; another one.
            }
        }

        throw new InvalidOperationException($"No port between {PortMin} and {PortMax} is free.");
    }

    /// <summary>Options for a database that no other test has.</summary>
    public WriterOptions NewOptions() => new()
    {
        Url = Url,
        User = "weir",
        Password = Password,
        Database = $"weir_test_{Interlocked.Increment(ref _databaseCount)}",
        BackoffMin = TimeSpan.FromMilliseconds(10),
        BackoffMax = TimeSpan.FromMilliseconds(100),
    };

    /// <summary>Starts it and waits until it answers.</summary>
    public async Task StartAsync()
    {
        await File.WriteAllTextAsync(Path.Combine(_directory, "config.xml"), Configuration());
        StartProcess();
        await Eventually.TrueAsync(
            async () =>
            {
                if (_process!.HasExited)
                {
                    // Its port was still taken, or ZooKeeper was not there; or it was killed when most parts of a table on its disk were
                    // those of blocks that it had just taken for known: then what an operator does (docs/operations.md).
                    if ((await File.ReadAllTextAsync(Path.Combine(_directory, "errors"))).Contains("The local set of parts", StringComparison.Ordinal))
                    {
                        var flags = Directory.CreateDirectory(Path.Combine(_directory, "data", "flags")).FullName;
                        await File.WriteAllTextAsync(Path.Combine(flags, "force_restore_data"), "");
                    }

                    StartProcess();
                }

                return await IsUpAsync();
            },
            "clickhouse-server answers",
            _startTimeout);
    }

    private void StartProcess()
    {
        var start = new ProcessStartInfo("clickhouse-server") { RedirectStandardError = true, RedirectStandardOutput = true };
        start.ArgumentList.Add($"--config-file={Path.Combine(_directory, "config.xml")}");
        _process = Process.Start(start)!;
        _process.OutputDataReceived += (_, _) => { };
        _process.ErrorDataReceived += (_, _) => { };
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }

    /// <summary>Ends it as an administrator does.</summary>
    public async Task StopAsync()
    {
        using var terminate = Process.Start("kill", ["-TERM", _process!.Id.ToString(System.Globalization.CultureInfo.InvariantCulture)]);
        await terminate.WaitForExitAsync();
        await _process.WaitForExitAsync();
    }

    /// <summary>Ends it as a crash does; returns when it is gone.</summary>
    public async Task KillAsync()
    {
        _process!.Kill();
        await _process.WaitForExitAsync();
    }

    /// <summary>Sends a signal by its name, such as STOP.</summary>
    internal void Signal(string name)
    {
        using var kill = Process.Start("kill", [$"-{name}", _process!.Id.ToString(System.Globalization.CultureInfo.InvariantCulture)]);
        kill.WaitForExit();
    }

    /// <summary>Runs SQL as the administrator and returns the result.</summary>
    public async Task<string> RunAsync(string sql)
    {
        using var content = new StringContent(sql);
        using var response = await _client.PostAsync(Url, content);
        var text = await response.Content.ReadAsStringAsync();
        return response.IsSuccessStatusCode ? text.Trim() : throw new InvalidOperationException(text);
    }

    /// <inheritdoc/>
    public Task InitializeAsync() => RealParts.IsPresent(RealPart.ClickHouseServer) ? StartAsync() : Task.CompletedTask;

    /// <inheritdoc/>
    public async Task DisposeAsync()
    {
        _client.Dispose();
        if (_process is { HasExited: false })
        {
            await KillAsync(); // Its data goes too; a server that hangs must not hold the tests up, or outlive them.
        }

        _process?.Dispose();
        Directory.Delete(_directory, recursive: true);
    }

    private async Task<bool> IsUpAsync()
    {
        try
        {
            return (await _client.GetStringAsync(new Uri(Url, "ping"))).StartsWith("Ok", StringComparison.Ordinal);
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }

    private string QueryLog => !HasQueryLog ? "" : """
        <query_log><database>system</database><table>query_log</table><flush_interval_milliseconds>200</flush_interval_milliseconds></query_log>
        """;

    private string Configuration() => $"""
        <yandex>
          <logger><level>warning</level><log>{_directory}/log</log><errorlog>{_directory}/errors</errorlog></logger>
          <http_port>{Port}</http_port><listen_host>127.0.0.1</listen_host>
          <path>{_directory}/data/</path><tmp_path>{_directory}/tmp/</tmp_path>
          <mark_cache_size>67108864</mark_cache_size><timezone>UTC</timezone>
          {_replication}{QueryLog}
          <users_config>config.xml</users_config><default_profile>default</default_profile><default_database>default</default_database>
          <profiles><default><log_queries>{(HasQueryLog ? 1 : 0)}</log_queries>{_profile}</default><reader><readonly>1</readonly></reader></profiles>
          <quotas><default/></quotas>
          <users>
            <default><password></password><networks><ip>127.0.0.1</ip></networks><profile>default</profile><quota>default</quota></default>
            <weir><password>{Password}</password><networks><ip>127.0.0.1</ip></networks><profile>default</profile><quota>default</quota></weir>
            <reader><password>{Password}</password><networks><ip>127.0.0.1</ip></networks><profile>reader</profile><quota>default</quota></reader>
          </users>
        </yandex>
        """;
}
