using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Weir.Tests.Support;

namespace Weir.Tests.Faults;

/// <summary>One run: real processes, traffic, faults as planned, then quiet; and whether the sums are right at the end.</summary>
internal sealed class FaultRun
{
    private const int WorkersMax = 4;
    private const int AuditAttemptsMax = 5;
    private const int AttemptsMax = 3;

    /// <summary>The standard views and the ledger.</summary>
    private const string TablesText = "6";

    private static readonly TimeSpan _trafficInterval = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan _drainTimeout = TimeSpan.FromSeconds(150);

    /// <summary>Less than the five minutes after which <c>./test</c> ends a run that hangs.</summary>
    private static readonly TimeSpan _runTimeout = TimeSpan.FromSeconds(270);

    private readonly FaultPlan _plan;
    private readonly FaultBed _bed;
    private readonly FaultTraffic _traffic;
    private readonly PriorityQueue<Func<Task>, TimeSpan> _events = new();
    private readonly List<FaultWorker> _workers = [];
    private readonly List<string> _problems = [];
    private readonly Stopwatch _clock = new();
    private readonly StringBuilder _history = new();

    private FaultRun(FaultPlan plan, FaultBed bed)
    {
        _plan = plan;
        _bed = bed;
        _traffic = new FaultTraffic(plan, FaultBed.Group);
    }

    private List<FaultWorker> Running => _workers.FindAll(worker => worker.IsWanted);

    /// <summary>Runs a plan; again, where the broker of the tests fell over by itself.</summary>
    /// <returns>How often workers were killed.</returns>
    /// <exception cref="FaultRunException">The sums are not right, or a process did what it should not; the message has the seed.</exception>
    public static async Task<int> RunAsync(FaultPlan plan)
    {
        for (var attempt = 1; ; attempt++)
        {
            if (await TryRunAsync(plan, isLast: attempt == AttemptsMax) is { } killCount)
            {
                return killCount;
            }
        }
    }

    private static async Task<int?> TryRunAsync(FaultPlan plan, bool isLast)
    {
        await using var bed = await FaultBed.StartAsync(plan);
        var run = new FaultRun(plan, bed);
        try
        {
            await run.RunAsync().WaitAsync(_runTimeout);
        }
        catch (Exception error) // Whatever it is, the seed and the logs go with it.
        {
            run._problems.Add(error.ToString());
        }
        finally
        {
            run._workers.ForEach(worker => worker.Dispose());
        }

        if (run._problems.Count == 0)
        {
            return run._workers.Sum(worker => worker.KillCount);
        }

        return bed.HasMockFailed && !isLast ? null : throw new FaultRunException(run.Describe());
    }

    private async Task RunAsync()
    {
        for (var index = 0; index < _plan.WorkerCount; index++)
        {
            AddWorker().Start();
        }

        if (_bed.Server is { } server)
        {
            // An 18.16 that is killed while it makes a replicated table leaves a replica in ZooKeeper that only a person can remove.
            await Eventually.TrueAsync(
                async () => await server.RunAsync("SELECT count() FROM system.tables WHERE database = 'weir'") == TablesText,
                "all tables are made");
        }

        var tickCount = (int)(_plan.Duration / _trafficInterval);
        for (var tick = 0; tick < tickCount; tick++)
        {
            At(tick * _trafficInterval, () => ProduceAsync(_plan.RecordCount / tickCount));
        }

        foreach (var fault in _plan.Faults)
        {
            At(fault.At, () => BeginAsync(fault));
        }

        _clock.Start();
        while (_events.TryDequeue(out var next, out var at))
        {
            await Eventually.TrueAsync(() => _clock.Elapsed >= at, "time passes");
            await next();
            await SuperviseAsync();
        }

        await DrainAsync();
        await StopAsync();
        await CheckAsync();
    }

    private void At(TimeSpan at, Func<Task> act) => _events.Enqueue(act, at);

    private void After(TimeSpan delay, Func<Task> act) => At(_clock.Elapsed + delay, act);

    private void After(TimeSpan delay, Action act) => After(delay, () =>
    {
        act();
        return Task.CompletedTask;
    });

    private Task ProduceAsync(int count)
    {
        if (_bed.IsBrokerThere)
        {
            _traffic.Produce(_bed.Broker, count); // What is not produced now comes at the end.
        }

        return Task.CompletedTask;
    }

    private FaultWorker AddWorker()
    {
        var worker = new FaultWorker(_bed.DirectoryPath, _bed.ConfigFile, _plan.Options);
        _workers.Add(worker);
        return worker;
    }

    private async Task BeginAsync(Fault fault)
    {
        _history.AppendLine(CultureInfo.InvariantCulture, $"{_clock.Elapsed.TotalSeconds:0.00} s: {fault}");
        var running = Running;
        var worker = running[fault.Worker % running.Count];
        switch (fault.Kind)
        {
            case FaultKind.KillWorker:
                await worker.KillAsync(); // It is started again by the supervision.
                break;
            case FaultKind.KillAtStep or FaultKind.ClockJump:
                await worker.KillAsync();
                worker.Start(fault.Kind == FaultKind.ClockJump ? $"clock:{fault.Detail}" : fault.Detail);
                break;
            case FaultKind.FreezeWorker when !worker.IsFrozen:
                worker.Freeze();
                After(fault.For, worker.Thaw);
                break;
            case FaultKind.Join when running.Count < WorkersMax:
                AddWorker().Start();
                break;
            case FaultKind.Leave:
                await LeaveAsync(worker, isLast: running.Count == 1);
                break;
            default:
                await BeginOutsideAsync(fault);
                break;
        }
    }

    private async Task LeaveAsync(FaultWorker worker, bool isLast)
    {
        worker.Leave();
        if (isLast)
        {
            await worker.EndedAsync();
            worker.Start();
        }
    }

    /// <summary>Faults of what is around the workers.</summary>
    private async Task BeginOutsideAsync(Fault fault)
    {
        switch (fault.Kind)
        {
            case FaultKind.KillStore:
                await _bed.KillServerAsync();
                After(fault.For, _bed.ReturnServerAsync);
                break;
            case FaultKind.FreezeStore:
                _bed.FreezeServer();
                After(fault.For, _bed.ReturnServerAsync);
                break;
            case FaultKind.KeeperAway:
                await _bed.KillKeeperAsync();
                After(fault.For, _bed.ReturnKeeperAsync);
                break;
            case FaultKind.BrokerAway when _bed.IsBrokerThere:
                _bed.TakeBroker();
                After(fault.For, _bed.ReturnBroker);
                break;
            case FaultKind.DiskFull:
                _bed.FillDisk();
                After(fault.For, _bed.FreeDisk);
                break;
            case FaultKind.ServerError:
                foreach (var code in fault.Detail.Split(' '))
                {
                    _bed.Proxy!.Add(fault.Kind, int.Parse(code, CultureInfo.InvariantCulture));
                }

                break;
            case FaultKind.CutInBody or FaultKind.LoseAnswer or FaultKind.Http500:
                for (var count = int.Parse(fault.Detail, CultureInfo.InvariantCulture); count > 0; count--)
                {
                    _bed.Proxy!.Add(fault.Kind);
                }

                break;
        }
    }

    private async Task SuperviseAsync()
    {
        foreach (var worker in _workers)
        {
            if (await worker.SuperviseAsync() is { } problem)
            {
                _problems.Add(problem);
            }
        }

        if (Running.Count == 0)
        {
            throw new InvalidOperationException("No worker runs any more.");
        }
    }

    /// <summary>Everything is there again, and what was produced gets stored.</summary>
    private async Task DrainAsync()
    {
        await _bed.ReturnAllAsync();
        _workers.ForEach(worker => worker.Thaw());
        await ProduceAsync(_plan.RecordCount);
        _history.AppendLine(CultureInfo.InvariantCulture, $"{_clock.Elapsed.TotalSeconds:0.00} s: all is produced, nothing fails any more");
        await Eventually.TrueAsync(
            async () =>
            {
                await SuperviseAsync();
                return _traffic.IsCommitted(_bed.Broker);
            },
            () => "everything that was produced is committed",
            _drainTimeout);
        _history.AppendLine(CultureInfo.InvariantCulture, $"{_clock.Elapsed.TotalSeconds:0.00} s: all is committed");
    }

    private async Task StopAsync()
    {
        var running = Running;
        running.ForEach(worker => worker.Leave());
        foreach (var worker in _workers)
        {
            var code = await worker.EndedAsync();
            if (code is not (0 or 137 or 143) && running.Contains(worker)) // Killed before it listened.
            {
                _problems.Add($"a worker stopped with code {code}, although everything was there");
            }
        }
    }

    private async Task CheckAsync()
    {
        var audit = await AuditAsync();
        for (var attempt = 0; audit.Code > 1 && attempt < AuditAttemptsMax; attempt++)
        {
            audit = await AuditAsync(); // It gives Kafka ten seconds, which a machine that is busy may not.
        }

        using var json = JsonDocument.Parse(audit.Output);
        var root = json.RootElement;
        if (audit.Code > 1)
        {
            _problems.Add($"the audit could not look: {audit.Output}{audit.Error}");
            return;
        }

        if (_plan.RefusedCount > 0)
        {
            CheckRefused(root);
        }
        else if (_plan.Store == StoreKind.Plain)
        {
            await CheckNothingLostAsync(root);
        }
        else
        {
            CheckExact(audit.Code, root);
        }

        if (_problems.Count > 0)
        {
            _problems.Add(audit.Output + audit.Error);
        }
    }

    private Task<(int Code, string Output, string Error)> AuditAsync() => ProgramProcess.RunAsync(
        _bed.DirectoryPath,
        new Dictionary<string, string> { ["WEIR__CLICKHOUSE__REQUEST_TIMEOUT"] = "1m" },
        "audit", "-c", _bed.ConfigFile, "--json");

    private void CheckExact(int code, JsonElement root)
    {
        Expect("exit code of the audit", 0, code);
        Expect("verdict", "exact", root.GetProperty("verdict").GetString());
        Expect("notes", 0, root.GetProperty("notes").GetArrayLength());
        Expect("gaps", 0, root.GetProperty("gaps").GetArrayLength());
        Expect("overlaps", 0, root.GetProperty("overlaps").GetArrayLength());
        Expect("records read", _traffic.RecordCount + _traffic.GarbageCount, root.GetProperty("records_read").GetInt64());
        Expect("records folded", _traffic.RecordCount, root.GetProperty("records_folded").GetInt64());
        Expect("records rejected", _traffic.GarbageCount, root.GetProperty("losses").GetProperty("rejected").GetInt64());
        foreach (var view in root.GetProperty("views").EnumerateObject())
        {
            Expect($"{view.Name}: records", (ulong)_traffic.RecordCount, view.Value.GetProperty("records").GetUInt64());
            Expect($"{view.Name}: packets", _traffic.Packets, view.Value.GetProperty("packets").GetUInt64());
            Expect($"{view.Name}: bytes", _traffic.Bytes, view.Value.GetProperty("bytes").GetUInt64());
        }
    }

    /// <summary>What is not in the tables is told as refused, and lies in the directory.</summary>
    private void CheckRefused(JsonElement root)
    {
        Expect("verdict", "exact", root.GetProperty("verdict").GetString());
        Expect("files of refused blocks", _plan.RefusedCount * 2, Directory.GetFiles(_bed.RefusedPath).Length);
        var (blocks, lost) = (0L, 0UL);
        foreach (var view in root.GetProperty("views").EnumerateObject())
        {
            var refused = view.Value.GetProperty("refused");
            blocks += refused.GetProperty("blocks").GetInt64();
            lost += refused.GetProperty("records").GetUInt64();
            Expect(
                $"{view.Name}: records in the table and refused",
                (ulong)_traffic.RecordCount,
                view.Value.GetProperty("records").GetUInt64() + refused.GetProperty("records").GetUInt64());
        }

        Expect("refused blocks", _plan.RefusedCount, blocks);
        Expect("refused records among the losses", lost, root.GetProperty("losses").GetProperty("refused").GetUInt64());
        Expect("some records are refused", true, lost > 0);
    }

    /// <summary>At least once: every series is there, ranges tile the log, and the tables have at least what was produced.</summary>
    private async Task CheckNothingLostAsync(JsonElement root)
    {
        Expect("gaps", 0, root.GetProperty("gaps").GetArrayLength());
        Expect("records folded", _traffic.RecordCount, root.GetProperty("records_folded").GetInt64());
        foreach (var view in new[] { "edge_1s", "edge_1m" })
        {
            Expect(
                $"{view}: series",
                _traffic.RecordCount.ToString(CultureInfo.InvariantCulture),
                await _bed.Server!.RunAsync($"SELECT uniqExact(src_addr) FROM weir.{view}"));
        }

        foreach (var view in root.GetProperty("views").EnumerateObject())
        {
            var records = view.Value.GetProperty("records").GetUInt64();
            if (records < (ulong)_traffic.RecordCount)
            {
                _problems.Add($"{view.Name} has {records} records of {_traffic.RecordCount}");
            }
        }

        var check = await ProgramProcess.RunAsync(_bed.DirectoryPath, null, "check", "-c", _bed.ConfigFile);
        if (!check.Error.Contains("at least once, because", StringComparison.Ordinal))
        {
            _problems.Add($"weir check does not say what plain tables promise:\n{check.Error}");
        }
    }

    private void Expect<T>(string what, T expected, T found)
    {
        if (!EqualityComparer<T>.Default.Equals(expected, found))
        {
            _problems.Add($"{what}: {found} and not {expected}");
        }
    }

    private string Describe()
    {
        var text = new StringBuilder();
        text.AppendLine(CultureInfo.InvariantCulture, $"WEIR_SEED={_plan.Seed} runs this alone.");
        text.AppendLine(string.Join('\n', _problems));
        text.AppendLine(_plan.ToString());
        text.AppendLine(_traffic.ToString());
        text.Append(_history);
        text.AppendLine("=== broker").AppendLine(_bed.BrokerLog);
        for (var index = 0; index < _workers.Count; index++)
        {
            text.AppendLine(CultureInfo.InvariantCulture, $"=== worker {index}").AppendLine(_workers[index].Log);
        }

        return text.ToString();
    }
}

/// <summary>A run did not end as it must.</summary>
internal sealed class FaultRunException(string message) : Exception(message);
