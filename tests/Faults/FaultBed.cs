using System.Globalization;
using Weir.Core.Faults;
using Weir.Tests.Support;

namespace Weir.Tests.Faults;

/// <summary>The parts around the workers of one run: broker, ClickHouse, ZooKeeper, proxy, disk; each can be taken away for a while.</summary>
internal sealed class FaultBed : IAsyncDisposable
{
    /// <summary>The consumer group.</summary>
    public const string Group = "faults";

    private const int DiskMiB = 256;

    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("weir-faults-");
    private readonly FaultPlan _plan;
    private ProgramProcess? _brokerProcess;
    private ZooKeeperServer? _keeper;
    private ClickHouseServer? _server;
    private bool _isServerUp;
    private bool _isServerFrozen;
    private bool _isKeeperUp;
    private SmallDisk? _disk;

    private FaultBed(FaultPlan plan) => _plan = plan;

    public KafkaBroker Broker { get; private set; } = null!;

    /// <summary>True while the broker answers.</summary>
    public bool IsBrokerThere { get; private set; } = true;

    /// <summary>Null with the embedded engine.</summary>
    public FaultProxy? Proxy { get; private set; }

    /// <summary>Null with the embedded engine.</summary>
    public ClickHouseServer? Server => _server;

    /// <summary>
    /// True when an assertion of librdkafka's own mock cluster has ended the broker, and all messages with it: then the run says nothing of
    /// weir. (2.15.1: <c>!member->resp</c>, seen once in 201 long runs.)
    /// </summary>
    public bool HasMockFailed =>
        _brokerProcess is { HasExited: true } process && process.ErrorText.Contains("rdkafka_mock", StringComparison.Ordinal)
        && process.ErrorText.Contains("Assertion", StringComparison.Ordinal);

    /// <summary>What the broker's process has said, and whether it has ended.</summary>
    public string BrokerLog => _brokerProcess is { } process ? $"{(process.HasExited ? "it has ended\n" : "")}{process.ErrorText}" : "";

    public string DirectoryPath => _directory.FullName;

    public string ConfigFile => Path.Combine(_directory.FullName, "weir.yaml");

    /// <summary>Where refused blocks go.</summary>
    public string RefusedPath => Path.Combine(_directory.FullName, "refused");

    private string DiskPath => Path.Combine(_directory.FullName, "disk");

    /// <summary>Starts everything that the plan needs.</summary>
    public static async Task<FaultBed> StartAsync(FaultPlan plan)
    {
        var bed = new FaultBed(plan);
        try
        {
            await Task.WhenAll(bed.StartBrokerAsync(), bed.StartStoreAsync());
            await File.WriteAllTextAsync(bed.ConfigFile, bed.Configuration());
            return bed;
        }
        catch
        {
            await bed.DisposeAsync();
            throw;
        }
    }

    /// <summary>The broker is gone, or does not answer, as the plan says.</summary>
    public void TakeBroker()
    {
        IsBrokerThere = false;
        _brokerProcess!.Signal(_plan.IsBrokerDown ? "USR1" : "STOP");
    }

    public void ReturnBroker()
    {
        if (!IsBrokerThere)
        {
            IsBrokerThere = true;
            _brokerProcess!.Signal(_plan.IsBrokerDown ? "USR2" : "CONT");
        }
    }

    public async Task KillServerAsync()
    {
        if (_isServerUp)
        {
            _isServerUp = _isServerFrozen = false;
            await _server!.KillAsync();
        }
    }

    public void FreezeServer()
    {
        if (_isServerUp && !_isServerFrozen)
        {
            _isServerFrozen = true;
            _server!.Signal("STOP");
        }
    }

    /// <summary>Starts or thaws ClickHouse, if need be.</summary>
    public async Task ReturnServerAsync()
    {
        if (_isServerFrozen)
        {
            _isServerFrozen = false;
            _server!.Signal("CONT");
        }
        else if (_server is not null && !_isServerUp)
        {
            await ReturnKeeperAsync(); // 18.16 does not answer at its start without it.
            await _server.StartAsync();
            _isServerUp = true;
        }
    }

    public async Task KillKeeperAsync()
    {
        if (_isKeeperUp)
        {
            _isKeeperUp = false;
            await _keeper!.KillAsync();
        }
    }

    public async Task ReturnKeeperAsync()
    {
        if (_keeper is not null && !_isKeeperUp)
        {
            await _keeper.StartAsync();
            _isKeeperUp = true;
        }
    }

    /// <summary>Leaves no room on the disk of the embedded engine, where this machine lets the test have a small one.</summary>
    public void FillDisk() => _disk?.Fill();

    public void FreeDisk() => _disk?.Free();

    /// <summary>Brings back what is away.</summary>
    public async Task ReturnAllAsync()
    {
        Proxy?.Clear();
        ReturnBroker();
        await ReturnKeeperAsync();
        await ReturnServerAsync();
        FreeDisk();
    }

    public async ValueTask DisposeAsync()
    {
        Broker?.Dispose();
        _brokerProcess?.Dispose();
        if (Proxy is not null)
        {
            await Proxy.DisposeAsync();
        }

        if (_server is not null)
        {
            await _server.DisposeAsync();
        }

        if (_keeper is not null)
        {
            await _keeper.DisposeAsync();
        }

        _disk?.Dispose();
        _directory.Delete(recursive: true);
    }

    private async Task StartBrokerAsync()
    {
        var portFile = Path.Combine(_directory.FullName, "port");
        _brokerProcess = ProgramProcess.Start(
            _directory.FullName,
            new Dictionary<string, string>
            {
                [FaultPoint.Variable] = FormattableString.Invariant($"broker:{FaultPlan.SessionTimeout.TotalMilliseconds}"),
            },
            "broker", "--port-file", portFile, "--topic", $"{FaultTraffic.Batches}:{_plan.PartitionCount}", "--topic", $"{FaultTraffic.Lines}:1");
        await Eventually.TrueAsync(
            () => File.Exists(portFile) || _brokerProcess.HasExited, $"the broker is ready; it said {_brokerProcess.ErrorText}");
        Broker = KafkaBroker.At((await File.ReadAllTextAsync(portFile)).Trim());
    }

    private async Task StartStoreAsync()
    {
        if (_plan.Store == StoreKind.Embedded)
        {
            Directory.CreateDirectory(DiskPath);
            _disk = SmallDisk.CanMount && _plan.Faults.Any(fault => fault.Kind == FaultKind.DiskFull)
                ? SmallDisk.Mount(DiskPath, DiskMiB)
                : null;
            return;
        }

        if (_plan.Store == StoreKind.Replicated)
        {
            _keeper = new ZooKeeperServer();
            await ReturnKeeperAsync();
        }

        _server = _keeper is null ? new ClickHouseServer() : ClickHouseServer.NewReplica(_keeper.Port, "one");
        await ReturnServerAsync();
        Proxy = new FaultProxy(_server.Port);
    }

    private string Configuration()
    {
        var refused = _plan.RefusedCount == 0 ? "" : $", on_refused: dead-letter, refused_directory: {RefusedPath}";
        var store = _server is null
            ? $"embedded: {Path.Combine(DiskPath, "store")}"
            : string.Create(CultureInfo.InvariantCulture, $"url: {Proxy!.Url}, request_timeout: {FaultPlan.RequestTimeout.TotalSeconds}s{refused}");
        var session = _plan.HasConsumerProtocol
            ? "group.protocol: consumer"
            : string.Create(
                CultureInfo.InvariantCulture,
                $"session.timeout.ms: {FaultPlan.SessionTimeout.TotalMilliseconds}, heartbeat.interval.ms: 300");
        return $$"""
            kafka:
              bootstrap: {{Broker.Bootstrap}}
              group: {{Group}}
              topics: [ { name: {{FaultTraffic.Batches}}, format: weir }, { name: {{FaultTraffic.Lines}}, format: pmacct-json } ]
              options: { fetch.wait.max.ms: 10, {{session}} }
            clickhouse: { {{store}} }
            admin: { listen: "127.0.0.1:0" }
            shutdown: { timeout: 60s }

            """;
    }
}
