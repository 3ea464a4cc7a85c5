using System.Diagnostics;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using Weir.Tests.Support;
using Xunit;

namespace Weir.Tests.Writer;

/// <summary>A private clickhouse-server with a data directory of its own, for the tests of block bytes.</summary>
internal sealed class BlockServer : IDisposable
{
    private static readonly TimeSpan _startTimeout = TimeSpan.FromSeconds(30);

    private readonly HttpClient _client = new();
    private readonly string _directory = Directory.CreateTempSubdirectory("weir-blocks-").FullName;
    private readonly Process _process;
    private readonly Uri _url;

    public BlockServer()
    {
        var (http, tcp) = (ClickHouseServer.FreePort(), ClickHouseServer.FreePort());
        _url = new Uri($"http://127.0.0.1:{http}/");
        var config = Path.Combine(_directory, "config.xml");
        File.WriteAllText(config, $"""
            <yandex>
              <logger><level>warning</level><log>{_directory}/log</log><errorlog>{_directory}/errors</errorlog></logger>
              <http_port>{http}</http_port><tcp_port>{tcp}</tcp_port><listen_host>127.0.0.1</listen_host>
              <path>{_directory}/data/</path><tmp_path>{_directory}/tmp/</tmp_path>
              <mark_cache_size>5368709</mark_cache_size><timezone>UTC</timezone>
              <users_config>{config}</users_config><default_profile>default</default_profile><default_database>default</default_database>
              <profiles><default><allow_experimental_low_cardinality_type>1</allow_experimental_low_cardinality_type></default></profiles>
              <users><default>
                <password></password><networks><ip>127.0.0.1</ip></networks><profile>default</profile><quota>default</quota>
              </default></users>
              <quotas><default></default></quotas>
            </yandex>
            """);
        _process = Process.Start(new ProcessStartInfo(RealParts.RequireProgram("clickhouse-server"), $"--config-file={config}")
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = _directory,
        })!;
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
        WaitUntilReady();
    }

    /// <summary>Runs a statement and returns what it says.</summary>
    public string Query(string sql) => Post("", new StringContent(sql));

    /// <summary>Inserts pieces as they are.</summary>
    public void Insert(string sql, string settings, IEnumerable<ReadOnlyMemory<byte>> pieces)
    {
        var content = new ByteArrayContent(NativeBlockReader.Join(pieces));
        content.Headers.ContentType = new MediaTypeHeaderValue("application/octet-stream");
        Assert.Equal("", Post($"?query={Uri.EscapeDataString(sql)}{settings}", content));
    }

    public void Dispose()
    {
        _client.Dispose();
        _process.Kill();
        _process.WaitForExit();
        _process.Dispose();
        Directory.Delete(_directory, recursive: true);
    }

    private string Post(string path, HttpContent content)
    {
        using var reply = _client.PostAsync(new Uri(_url, path), content).GetAwaiter().GetResult();
        var body = reply.Content.ReadAsStringAsync().GetAwaiter().GetResult();
        Assert.True(reply.StatusCode == HttpStatusCode.OK, body);
        return body;
    }

    /// <summary>The server opens its port when it is ready: connecting is tried until then.</summary>
    private void WaitUntilReady()
    {
        var from = Stopwatch.GetTimestamp();
        while (true)
        {
            try
            {
                using var socket = new TcpClient();
                socket.Connect(_url.Host, _url.Port);
                return;
            }
            catch (SocketException) when (Stopwatch.GetElapsedTime(from) < _startTimeout && !_process.WaitForExit(20))
            {
            }
        }
    }
}
