using System.Diagnostics;
using System.Text;
using Weir.Host;
using Weir.Host.Commands;
using Weir.Tests.Support;
using Xunit;

namespace Weir.Tests.Host;

/// <summary>Commands against the real broker and the real embedded ClickHouse.</summary>
[Collection("real parts")]
public sealed class BackendTests : IDisposable
{
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("weir-backend-");
    private readonly StringWriter _output = new();
    private readonly MemoryStream _outputBytes = new();
    private readonly StringWriter _error = new();

    [RealPartFact(RealPart.LocalRdkafka, RealPart.EmbeddedClickHouse)]
    public async Task Check_finds_topics_and_the_tables_that_apply_has_made()
    {
        using var broker = new WeirBackend().StartBroker([new BrokerTopic("flows", 3)], TimeSpan.FromSeconds(3));
        var store = Path.Combine(_directory.FullName, "store");
        Directory.CreateDirectory(store);
        var config = Config($"kafka: {{ bootstrap: {broker.Bootstrap} }}\nclickhouse: {{ embedded: {store} }}");

        Assert.Equal(0, await RunAsync("schema", "apply", "-c", config));
        Assert.Equal(0, await RunAsync("check", "-c", config));

        Assert.Contains("has topic flows with 3 partition(s)", _error.ToString(), StringComparison.Ordinal);
        Assert.Contains("all tables are as the views need them", _error.ToString(), StringComparison.Ordinal);
        Assert.Equal(0, await RunAsync("query", "SHOW TABLES", "-c", config));
        Assert.Equal("edge_1m\nedge_1s\nservice_1m\nservice_1s\nweir_ledger\nweir_schema\n", Encoding.UTF8.GetString(_outputBytes.ToArray()));
        Assert.Equal(1, await RunAsync("query", "DROP TABLE edge_1s", "-c", config));
    }

    [RealPartFact(RealPart.EmbeddedClickHouse)]
    public async Task A_store_that_is_open_elsewhere_is_told_apart_from_one_that_is_broken()
    {
        var store = Path.Combine(_directory.FullName, "held");
        Directory.CreateDirectory(store);
        var status = Path.Combine(store, "status");
        await File.WriteAllTextAsync(status, "PID: 1\n");
        using var flock = Process.Start(new ProcessStartInfo("flock", [status, "cat"]) { RedirectStandardInput = true })!;
        try
        {
            var options = new WeirOptions() with { Writer = new WeirOptions().Writer with { Url = null, EmbeddedPath = store } };
            await Eventually.TrueAsync(async () =>
            {
                try
                {
                    await (await new WeirBackend().OpenStoreAsync(options, CancellationToken.None)).DisposeAsync();
                    return false;
                }
                catch (StoreException error)
                {
                    return error.IsHeld;
                }
            }, "the lock is seen");
        }
        finally
        {
            flock.StandardInput.Close();
            await flock.WaitForExitAsync();
        }
    }

    [RealPartFact(RealPart.LocalRdkafka)]
    public async Task Check_names_a_topic_that_the_broker_has_not()
    {
        using var broker = new WeirBackend().StartBroker([new BrokerTopic("flows", 1)], TimeSpan.FromSeconds(3));
        var absent = Path.Combine(_directory.FullName, "absent");

        Assert.Equal(2, await RunAsync(
            "check",
            "-c",
            Config($"kafka: {{ bootstrap: {broker.Bootstrap}, topics: [{{ name: other, format: weir }}] }}\nclickhouse: {{ embedded: {absent} }}")));
        Assert.Contains("has no topic other; create it, or mend kafka.topics", _error.ToString(), StringComparison.Ordinal);
    }

    [RealPartFact(RealPart.LocalRdkafka)]
    public async Task The_broker_process_is_ready_when_its_file_is_there_and_stops_at_sigterm()
    {
        var file = Path.Combine(_directory.FullName, "port");
        using var process = ProgramProcess.Start(_directory.FullName, null, "broker", "--port-file", file, "--topic", "flows:2");
        await Eventually.TrueAsync(() => File.Exists(file) || process.HasExited, "the broker is ready");
        var bootstrap = await File.ReadAllTextAsync(file);
        var report = KafkaProbe.Probe(new Weir.Ingest.IngestOptions { Bootstrap = bootstrap }, TimeSpan.FromSeconds(20));

        process.Signal("TERM");
        Assert.Equal(0, await process.ExitCodeAsync());

        Assert.Equal([$"kafka: {bootstrap} has topic flows with 2 partition(s)"], report.Findings);
        Assert.Equal(bootstrap + "\n", process.OutputText);
        Assert.False(File.Exists(file));
    }

    public void Dispose()
    {
        _directory.Delete(recursive: true);
        _output.Dispose();
        _outputBytes.Dispose();
        _error.Dispose();
    }

    private string Config(string yaml)
    {
        var path = Path.Combine(_directory.FullName, "weir.yaml");
        File.WriteAllText(path, yaml);
        return path;
    }

    [RealPartFact(RealPart.LocalRdkafka)]
    public async Task A_stop_before_the_start_is_done_is_no_error()
    {
        var config = HostConfig.LoadGood("admin: { listen: \"127.0.0.1:0\" }");
        using var shutdown = new ShutdownSignal(_ => { });
        shutdown.Receive(System.Runtime.InteropServices.PosixSignal.SIGTERM);
        var context = new CommandContext
        {
            Output = _output,
            OutputStream = _outputBytes,
            Error = _error,
            Environment = new Dictionary<string, string>(),
            OpenShutdownSignal = () => new ShutdownSignal(_ => { }),
        };

        Assert.Equal(0, await new WeirBackend().RunAsync(config, context, shutdown));
    }

    private Task<int> RunAsync(params string[] args)
    {
        _output.GetStringBuilder().Clear();
        _outputBytes.SetLength(0);
        _error.GetStringBuilder().Clear();
        var context = new CommandContext
        {
            Output = _output,
            OutputStream = _outputBytes,
            Error = _error,
            Environment = new Dictionary<string, string>(),
            OpenShutdownSignal = () => new ShutdownSignal(_ => { }),
        };
        return WeirProgram.RunAsync(args, context, new WeirBackend());
    }
}
