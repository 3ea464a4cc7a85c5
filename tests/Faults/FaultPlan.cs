using System.Globalization;
using Weir.Core.Faults;

namespace Weir.Tests.Faults;

/// <summary>Where a run stores its sums.</summary>
internal enum StoreKind
{
    /// <summary>The embedded engine, for one worker.</summary>
    Embedded,

    /// <summary>18.16 with replicated tables and ZooKeeper, for a group.</summary>
    Replicated,

    /// <summary>18.16 with plain tables: at least once.</summary>
    Plain,
}

/// <summary>What goes wrong.</summary>
internal enum FaultKind
{
    /// <summary>kill -9 of a worker, which is started again.</summary>
    KillWorker,

    /// <summary>A worker is replaced by one that dies at a named step.</summary>
    KillAtStep,

    /// <summary>SIGSTOP of a worker and SIGCONT later: a zombie that goes on with what it held.</summary>
    FreezeWorker,

    /// <summary>A worker more.</summary>
    Join,

    /// <summary>SIGTERM of a worker; the last one is started again.</summary>
    Leave,

    /// <summary>kill -9 of ClickHouse, and its start later.</summary>
    KillStore,

    /// <summary>SIGSTOP of ClickHouse for longer than a request may take: it does later what was given up.</summary>
    FreezeStore,

    /// <summary>Connections are cut in the middle of an insert's body.</summary>
    CutInBody,

    /// <summary>Answers to inserts are lost after ClickHouse has given them.</summary>
    LoseAnswer,

    /// <summary>Inserts are answered with HTTP 500 and no code.</summary>
    Http500,

    /// <summary>Inserts are answered with codes of ClickHouse: 242, 252, 241.</summary>
    ServerError,

    /// <summary>The broker does not answer; its sessions of the group pass.</summary>
    BrokerAway,

    /// <summary>kill -9 of ZooKeeper, and its start later.</summary>
    KeeperAway,

    /// <summary>A worker is replaced by one whose wall clock jumps.</summary>
    ClockJump,

    /// <summary>The disk of the embedded engine is full for a while.</summary>
    DiskFull,
}

/// <summary>One fault.</summary>
/// <param name="At">When, from the start of the traffic.</param>
/// <param name="Kind">What.</param>
/// <param name="Worker">Which worker, counted among those that there are then.</param>
/// <param name="For">How long.</param>
/// <param name="Detail">The step, the number of requests or codes, the seconds of a jump.</param>
internal sealed record Fault(TimeSpan At, FaultKind Kind, int Worker = 0, TimeSpan For = default, string Detail = "")
{
    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture, $"{At.TotalSeconds:0.0} s {Kind} worker {Worker} for {For.TotalSeconds:0.0} s {Detail}");
}

/// <summary>Everything that is decided before a run: where to, how much, and what goes wrong when.</summary>
internal sealed record FaultPlan
{
    /// <summary>The steps at which a worker can be killed.</summary>
    public static readonly string[] Steps =
    [
        FaultPoint.BeforePlan, FaultPoint.AfterPlan, FaultPoint.MidInsert, FaultPoint.AfterInsert, FaultPoint.AfterLedger, FaultPoint.AfterCommit,
    ];

    /// <summary>The longest that a member may be silent; freezes of workers last longer.</summary>
    public static readonly TimeSpan SessionTimeout = TimeSpan.FromSeconds(3);

    /// <summary>The longest that an insert may take; freezes of ClickHouse last longer.</summary>
    public static readonly TimeSpan RequestTimeout = TimeSpan.FromSeconds(3);

    public required int Seed { get; init; }

    public required StoreKind Store { get; init; }

    /// <summary>Workers at the start.</summary>
    public int WorkerCount { get; init; } = 1;

    /// <summary>Partitions of the topic of batches; the one of JSON has one.</summary>
    public int PartitionCount { get; init; } = 4;

    /// <summary>True for the group protocol in which the broker decides.</summary>
    public bool HasConsumerProtocol { get; init; }

    /// <summary>True for a broker whose port is closed while it is away; false for one that does not answer.</summary>
    public bool IsBrokerDown { get; init; }

    /// <summary>How long traffic comes.</summary>
    public TimeSpan Duration { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Event time of all records together.</summary>
    public int EventSeconds { get; init; } = 60;

    /// <summary>Records in all.</summary>
    public int RecordCount { get; init; } = 40_000;

    /// <summary>Variables for each worker.</summary>
    public IReadOnlyDictionary<string, string> Options { get; init; } = new Dictionary<string, string>();

    /// <summary>Blocks that ClickHouse is to refuse for ever.</summary>
    public int RefusedCount { get; init; }

    /// <summary>The faults, in order.</summary>
    public IReadOnlyList<Fault> Faults { get; init; } = [];

    /// <summary>A run that is decided by its number.</summary>
    /// <param name="seed">The number.</param>
    /// <param name="isLong">True for one to two minutes' worth of traffic.</param>
    public static FaultPlan Random(int seed, bool isLong)
    {
        var random = new Random(seed);
        var store = (seed % 5) switch { 1 or 3 => StoreKind.Embedded, 0 => StoreKind.Plain, _ => StoreKind.Replicated };
        var duration = TimeSpan.FromSeconds(isLong ? 10 + random.Next(8) : 5);
        var eventSeconds = isLong ? 60 + random.Next(61) : 60;
        var faultCount = isLong ? 5 + random.Next(6) : 3 + random.Next(2);
        var kinds = KindsOf(store).Where(kind => isLong || kind != FaultKind.DiskFull).ToArray(); // NamedFaultTests has it.
        var hasConsumerProtocol = random.Next(4) == 0;
        return new FaultPlan
        {
            Seed = seed,
            Store = store,
            WorkerCount = store == StoreKind.Embedded ? 1 : 1 + random.Next(4),
            PartitionCount = 2 + random.Next(5),
            HasConsumerProtocol = hasConsumerProtocol,
            IsBrokerDown = random.Next(2) == 0,
            Duration = duration,
            EventSeconds = eventSeconds,
            RecordCount = isLong ? eventSeconds * (1_000 + random.Next(2_000)) : 40_000,
            Options = new Dictionary<string, string>
            {
                ["WEIR__FLUSH__INTERVAL"] = $"{200 + (100 * random.Next(7))}ms",
                ["WEIR__AGGREGATION__WORKERS"] = FormattableString.Invariant($"{random.Next(3)}"),
                ["WEIR__INGEST__WORKERS"] = FormattableString.Invariant($"{1 + random.Next(2)}"),
                ["WEIR__MEMORY__LIMIT"] = random.Next(2) == 0 ? "64MiB" : "512MiB",
            },
            Faults = [.. Enumerable.Range(0, faultCount).Select(_ => Make(random, kinds, duration)).OrderBy(fault => fault.At)],
        };
    }

    public override string ToString() => $"seed {Seed}: {Store}, {WorkerCount} workers, {PartitionCount} partitions, "
        + $"{(HasConsumerProtocol ? "consumer" : "classic")} protocol, broker {(IsBrokerDown ? "goes down" : "is stopped")}, {RecordCount} records, {Duration.TotalSeconds:0} s, "
        + $"{string.Join(" ", Options.Select(option => $"{option.Key}={option.Value}"))}\n  {string.Join("\n  ", Faults)}";

    private static FaultKind[] KindsOf(StoreKind store) => store switch
    {
        StoreKind.Embedded =>
        [
            FaultKind.KillWorker, FaultKind.KillAtStep, FaultKind.KillAtStep, FaultKind.FreezeWorker, FaultKind.Leave, FaultKind.BrokerAway,
            FaultKind.ClockJump, FaultKind.DiskFull,
        ],
        StoreKind.Plain => [.. KindsOf(StoreKind.Replicated).Where(kind => kind != FaultKind.KeeperAway)],
        _ =>
        [
            FaultKind.KillWorker, FaultKind.KillAtStep, FaultKind.KillAtStep, FaultKind.FreezeWorker, FaultKind.FreezeWorker, FaultKind.Join,
            FaultKind.Leave, FaultKind.KillStore, FaultKind.FreezeStore, FaultKind.CutInBody, FaultKind.LoseAnswer, FaultKind.Http500,
            FaultKind.ServerError, FaultKind.BrokerAway, FaultKind.KeeperAway, FaultKind.ClockJump,
        ],
    };

    private static Fault Make(Random random, FaultKind[] kinds, TimeSpan duration)
    {
        var kind = kinds[random.Next(kinds.Length)];
        var at = TimeSpan.FromMilliseconds(300 + random.Next((int)duration.TotalMilliseconds - 300));
        var seconds = kind switch
        {
            FaultKind.FreezeWorker => SessionTimeout.TotalSeconds + 0.5 + (random.NextDouble() * 3),
            FaultKind.FreezeStore => RequestTimeout.TotalSeconds + 0.5 + (random.NextDouble() * 2),
            FaultKind.KillStore or FaultKind.KeeperAway or FaultKind.DiskFull => 0.2 + (random.NextDouble() * 3),
            FaultKind.BrokerAway => 0.5 + (random.NextDouble() * 4),
            _ => 0,
        };
        var detail = kind switch
        {
            FaultKind.KillAtStep => FormattableString.Invariant($"{Steps[random.Next(Steps.Length)]}:{1 + random.Next(6)}"),
            FaultKind.CutInBody or FaultKind.LoseAnswer or FaultKind.Http500 => FormattableString.Invariant($"{1 + random.Next(6)}"),
            FaultKind.ServerError => string.Join(' ', Enumerable.Range(0, 1 + random.Next(6)).Select(_ => new[] { 242, 252, 241 }[random.Next(3)])),
            FaultKind.ClockJump => FormattableString.Invariant($"{(random.Next(2) == 0 ? -1 : 1) * (60 + random.Next(200_000))}"),
            _ => "",
        };
        return new Fault(at, kind, random.Next(8), TimeSpan.FromSeconds(seconds), detail);
    }
}
