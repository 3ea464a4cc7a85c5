using System.Diagnostics;
using System.Net.Sockets;
using System.Text;

namespace Weir.Tests.Support;

/// <summary>A private ZooKeeper of the machine, alone, on a free port of the loopback address, in a directory of its own.</summary>
internal sealed class ZooKeeperServer : IAsyncDisposable
{
    /// <summary>Debian's jar names what else it needs.</summary>
    internal const string Jar = "/usr/share/java/zookeeper.jar";

    private static readonly TimeSpan _answerTimeout = TimeSpan.FromSeconds(2);

    private readonly string _directory = Directory.CreateTempSubdirectory("weir-zookeeper-").FullName;
    private Process? _process;

    /// <summary>Its port; the same after a restart.</summary>
    internal int Port { get; } = ClickHouseServer.FreePort();

    /// <summary>Starts it and waits until it serves.</summary>
    internal async Task StartAsync()
    {
        var config = Path.Combine(_directory, "zoo.cfg");
        await File.WriteAllTextAsync(config, $"""
            tickTime=500
            dataDir={_directory}/data
            clientPort={Port}
            clientPortAddress=127.0.0.1
            admin.enableServer=false
            """);
        await File.WriteAllTextAsync(Path.Combine(_directory, "log4j.properties"), "log4j.rootLogger=OFF\n");
        var start = new ProcessStartInfo(RealParts.RequireProgram("java"))
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = _directory,
        };
        foreach (var argument in new[]
        {
            "-Xmx128m", "-cp", $"{_directory}:{Jar}:/usr/share/java/slf4j-log4j12.jar:/usr/share/java/log4j-1.2.jar",
            "org.apache.zookeeper.server.ZooKeeperServerMain", config,
        })
        {
            start.ArgumentList.Add(argument);
        }

        _process = Process.Start(start)!;
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
        await Eventually.TrueAsync(IsUpAsync, "ZooKeeper serves");
    }

    /// <summary>Ends it as a crash does; its data stay.</summary>
    internal async Task KillAsync()
    {
        _process!.Kill();
        await _process.WaitForExitAsync();
    }

    public async ValueTask DisposeAsync()
    {
        if (_process is { HasExited: false })
        {
            await KillAsync();
        }

        _process?.Dispose();
        Directory.Delete(_directory, recursive: true);
    }

    private async Task<bool> IsUpAsync()
    {
        try
        {
            using var timeout = new CancellationTokenSource(_answerTimeout); // One that has just begun may take a question and forget it.
            using var client = new TcpClient();
            await client.ConnectAsync("127.0.0.1", Port, timeout.Token);
            await client.GetStream().WriteAsync("srvr"u8.ToArray(), timeout.Token);
            var answer = new byte[1024];
            var length = await client.GetStream().ReadAtLeastAsync(answer, answer.Length, throwOnEndOfStream: false, timeout.Token);
            return Encoding.ASCII.GetString(answer, 0, length).Contains("Mode: standalone", StringComparison.Ordinal);
        }
        catch (Exception error) when (error is SocketException or IOException or OperationCanceledException)
        {
            return false;
        }
    }
}
