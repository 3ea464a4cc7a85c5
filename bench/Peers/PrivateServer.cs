using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Weir.Bench.Measure;

namespace Weir.Bench.Peers;

/// <summary>
/// A <c>clickhouse-server</c> of the machine (Debian's 18.16.1), on a free port of the loopback address, in a directory of its
/// own.
/// </summary>
internal sealed class PrivateServer : IDisposable
{
    private const string Program = "clickhouse-server";
    private static readonly TimeSpan _startTimeout = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan _pollInterval = TimeSpan.FromMilliseconds(50);

    private readonly string _directory = Directory.CreateTempSubdirectory("weir-bench-clickhouse-").FullName;
    private readonly HttpClient _client = new() { Timeout = TimeSpan.FromMinutes(5) };
    private readonly Process _process;

    private PrivateServer()
    {
        using (var listener = new TcpListener(IPAddress.Loopback, 0))
        {
            listener.Start();
            Url = new Uri($"http://127.0.0.1:{((IPEndPoint)listener.LocalEndpoint).Port}/");
        }

        var file = Path.Combine(_directory, "config.xml");
        File.WriteAllText(file, $"""
            <yandex>
              <logger><level>warning</level><log>{_directory}/log</log><errorlog>{_directory}/errors</errorlog></logger>
              <http_port>{Url.Port}</http_port><listen_host>127.0.0.1</listen_host>
              <path>{_directory}/data/</path><tmp_path>{_directory}/tmp/</tmp_path>
              <mark_cache_size>67108864</mark_cache_size><timezone>UTC</timezone>
              <users_config>config.xml</users_config><default_profile>default</default_profile><default_database>default</default_database>
              <profiles><default><allow_experimental_low_cardinality_type>1</allow_experimental_low_cardinality_type></default></profiles>
              <quotas><default/></quotas>
              <users>
                <default>
                  <password></password><networks><ip>127.0.0.1</ip></networks><profile>default</profile><quota>default</quota>
                </default>
              </users>
            </yandex>
            """);
        _process = Process.Start(new ProcessStartInfo(Program, [$"--config-file={file}"])
        {
            RedirectStandardError = true,
            RedirectStandardOutput = true,
        })!;
        _process.OutputDataReceived += (_, _) => { };
        _process.ErrorDataReceived += (_, _) => { };
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }

    /// <summary>Its address.</summary>
    public Uri Url { get; }

    /// <summary>CPU of all its threads so far, ns.</summary>
    public long CpuNanos => CpuClock.ProcessNanos(_process.Id);

    /// <summary>Starts one and waits until it answers.</summary>
    /// <param name="reason">Why there is none; null when there is.</param>
    public static PrivateServer? TryStart(out string? reason)
    {
        var paths = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Append("/usr/sbin");
        if (!paths.Any(path => File.Exists(Path.Combine(path, Program))))
        {
            reason = $"{Program} is not installed; scripts/setup.sh --all installs it";
            return null;
        }

        var server = new PrivateServer();
        var begun = Stopwatch.GetTimestamp();
        while (!server.IsUp())
        {
            if (server._process.HasExited || Stopwatch.GetElapsedTime(begun) > _startTimeout)
            {
                server.Dispose();
                reason = $"{Program} did not answer within {_startTimeout.TotalSeconds} s";
                return null;
            }

            Thread.Sleep(_pollInterval);
        }

        reason = null;
        return server;
    }

    /// <summary>Runs SQL and returns the result.</summary>
    public string Run(string sql)
    {
        using var content = new StringContent(sql);
        return Post("", content);
    }

    /// <summary>Inserts ClickHouse frames.</summary>
    public void InsertFrames(string statement, ReadOnlyMemory<byte> frames)
    {
        using var content = new ReadOnlyMemoryContent(frames);
        _ = Post($"?decompress=1&query={Uri.EscapeDataString(statement)}", content);
    }

    public void Dispose()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
            _process.WaitForExit();
        }

        _process.Dispose();
        _client.Dispose();
        Directory.Delete(_directory, recursive: true);
    }

    private string Post(string query, HttpContent content)
    {
        using var response = _client.PostAsync(new Uri(Url, query), content).GetAwaiter().GetResult();
        var text = response.Content.ReadAsStringAsync().GetAwaiter().GetResult().Trim();
        return response.IsSuccessStatusCode ? text : throw new InvalidOperationException($"ClickHouse refused: {text}");
    }

    private bool IsUp()
    {
        try
        {
            return _client.GetStringAsync(new Uri(Url, "ping")).GetAwaiter().GetResult().StartsWith("Ok", StringComparison.Ordinal);
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }
}
