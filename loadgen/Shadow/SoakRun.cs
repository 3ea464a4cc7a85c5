using System.Diagnostics;
using Weir.Loadgen.Generate;
using Weir.Loadgen.Kafka;

namespace Weir.Loadgen.Shadow;

/// <summary>How a soak is run.</summary>
public sealed record SoakOptions
{
    /// <summary>How long records are made.</summary>
    public TimeSpan Duration { get; init; } = TimeSpan.FromHours(1);

    /// <summary>Mean time between faults; zero for none.</summary>
    public TimeSpan FaultEvery { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>Seed of the faults.</summary>
    public ulong Seed { get; init; } = 1;

    /// <summary>Faults of the user's own, beside those that a soak knows: a name and a command of the shell.</summary>
    public IReadOnlyList<(string Name, string Command)> Commands { get; init; } = [];

    /// <summary>How long the end may take: everything stored and committed.</summary>
    public TimeSpan DrainTimeout { get; init; } = TimeSpan.FromMinutes(5);
}

/// <summary>A reading of a soak.</summary>
/// <param name="At">Seconds since the start.</param>
/// <param name="SentRecords">Records sent so far.</param>
/// <param name="Freshness">Freshness of the rows, s; NaN when weir did not answer.</param>
/// <param name="LagMessages">Messages not read; NaN when weir did not answer.</param>
/// <param name="ResidentBytes">Memory of weir; NaN when it does not run.</param>
public sealed record SoakSample(double At, long SentRecords, double Freshness, double LagMessages, double ResidentBytes);

/// <summary>A view at the end of a soak.</summary>
/// <param name="View">Its name.</param>
/// <param name="Expected">Meters as the generator made them.</param>
/// <param name="Stored">Meters as the table has them.</param>
public sealed record SoakView(string View, string Expected, string Stored)
{
    /// <summary>True when they are the same.</summary>
    public bool IsEqual => Expected == Stored;

    /// <summary>True when no meter is less than what was made: nothing was lost, and something may have come again.</summary>
    public bool IsComplete => Expected.Split('\t') is var made && Stored.Split('\t') is var stored && made.Length == stored.Length
        && made.Zip(stored).All(pair => ulong.TryParse(pair.Second, out var sum) && sum >= ulong.Parse(pair.First, _noCulture));

    private static readonly System.Globalization.CultureInfo _noCulture = System.Globalization.CultureInfo.InvariantCulture;
}

/// <summary>What a soak found.</summary>
/// <param name="Samples">A reading each second.</param>
/// <param name="Faults">When and what.</param>
/// <param name="Views">Each view against the generator's own totals.</param>
/// <param name="Totals">The generator's totals.</param>
/// <param name="AuditCode">Exit code of <c>weir audit</c>.</param>
/// <param name="AuditJson">Its result.</param>
/// <param name="IsExactlyOnce">Whether weir promised that a block that is sent again is stored once.</param>
/// <param name="Problem">Why the end was not reached; null when it was.</param>
public sealed record SoakResult(
    IReadOnlyList<SoakSample> Samples, IReadOnlyList<(double At, string What)> Faults, IReadOnlyList<SoakView> Views,
        GeneratedTotals Totals,
    int AuditCode, string AuditJson, bool IsExactlyOnce, string? Problem)
{
    /// <summary>True when nothing was lost and nothing counted twice.</summary>
    public bool IsExact => Problem is null && AuditCode == 0 && Views.All(view => view.IsEqual);

    /// <summary>True when it is exact, or when nothing was lost and weir had promised no more than that.</summary>
    public bool IsAsPromised => IsExact || (!IsExactlyOnce && Problem is null && Views.Count > 0 && Views.All(view => view.IsComplete));
}

/// <summary>generate → weir → audit, with faults at random.</summary>
public sealed class SoakRun(
    WeirPipeline weir, WeirProgram broker, TopicProducer producer, Generator generator, FaultProxy? proxy, SoakOptions options)
{
    private const int SignalStop = 19; // SIGSTOP
    private const int SignalContinue = 18; // SIGCONT
    private const double FaultSecondsMax = 6;

    private readonly Stopwatch _elapsed = new();
    private readonly List<SoakSample> _samples = [];
    private readonly List<(double At, string What)> _faults = [];
    private SeededRandom _random = new(options.Seed);
    private bool _isExactlyOnce;

    /// <summary>Says what is going on.</summary>
    public Action<string> Say { get; init; } = _ => { };

    /// <summary>Runs, waits until all is stored, audits, and compares the views with what was made.</summary>
    /// <param name="cancellation">Ends the making of records early; the end is waited for all the same.</param>
    public async Task<SoakResult> RunAsync(CancellationToken cancellation)
    {
        await weir.StartAsync(cancellation);
        _isExactlyOnce = await weir.ReadMetricsAsync(cancellation) is { } metrics
            && metrics.GetValueOrDefault("weir_writer_exactly_once") == 1;
        using var run = new GenerateRun(generator, producer, isPaced: true, isHashed: false);
        using var over = new CancellationTokenSource();
        _elapsed.Start();
        var sampling = SampleAsync(run, over.Token);
        string? problem = null;
        var (auditCode, auditJson) = (2, string.Empty);
        List<SoakView> views = [];
        try
        {
            var making = run.RunAsync(long.MaxValue, options.Duration, cancellation);
            while (!making.IsCompleted)
            {
                var pause = options.FaultEvery.TotalSeconds * (0.5 + _random.Unit());
                await Task.WhenAny(making, Task.Delay(pause > 0 ? TimeSpan.FromSeconds(pause) : Timeout.InfiniteTimeSpan, over.Token));
                if (!making.IsCompleted)
                {
                    await FaultAsync();
                }
            }

            await making;
            problem = run.UnsentRecordCount > 0 || producer.Delivered.FailedMessageCount > 0
                ? $"the broker did not take all records: {producer.Problem}" : await DrainAsync();
            views = problem is null ? await CompareAsync() : [];
            (auditCode, auditJson) = await weir.AuditAsync(CancellationToken.None);
        }
        finally
        {
            await over.CancelAsync();
            await sampling;
        }

        await weir.StopAsync();
        return new SoakResult(_samples, _faults, views, generator.Totals, auditCode, auditJson, _isExactlyOnce, problem);
    }

    /// <summary>One of: weir is killed, stopped, or frozen for a while; the broker is frozen for a while; ClickHouse's answers are not what
    /// they were for a while; a command of the user.</summary>
    private async Task FaultAsync()
    {
        var length = TimeSpan.FromSeconds(1 + (_random.Unit() * (FaultSecondsMax - 1)));
        var proxyFaults = ProxyFaults();
        switch ((int)_random.Below((ulong)(4 + proxyFaults.Length + options.Commands.Count)))
        {
            case 0:
                Note("weir killed");
                weir.Process?.Crash();
                await weir.StartAsync(CancellationToken.None);
                break;
            case 1:
                Note("weir stopped and started");
                await weir.StopAsync();
                await weir.StartAsync(CancellationToken.None);
                break;
            case 2:
                Note($"weir frozen for {length.TotalSeconds:0.0} s");
                await FreezeAsync(weir.Process, length);
                break;
            case 3:
                Note($"broker frozen for {length.TotalSeconds:0.0} s");
                await FreezeAsync(broker, length);
                break;
            case var other when other - 4 < proxyFaults.Length:
                var (fault, what) = proxyFaults[other - 4];
                Note($"{what} for {length.TotalSeconds:0.0} s");
                await DisturbAsync(fault, length);
                break;
            case var other:
                await RunAsync(options.Commands[other - 4 - proxyFaults.Length]);
                break;
        }

        if (weir.Process is null)
        {
            throw new IOException($"weir ended by itself: {weir.Errors}");
        }
    }

    /// <summary>Answers are lost only where weir promises that this counts nothing twice.</summary>
    private (ProxyFault Fault, string What)[] ProxyFaults() => proxy is null
        ? []
        :
        [
            (ProxyFault.Errors, "ClickHouse answers with errors"),
            (ProxyFault.Cuts, "connections to ClickHouse are cut"),
            (ProxyFault.Slow, "ClickHouse answers late"),
            .. _isExactlyOnce ? [(ProxyFault.LostAnswers, "answers of ClickHouse are lost")] : ((ProxyFault, string)[])[],
        ];

    private async Task DisturbAsync(ProxyFault fault, TimeSpan time)
    {
        proxy!.Fault = fault;
        try
        {
            await Task.Delay(time);
        }
        finally
        {
            proxy.Fault = ProxyFault.None;
        }
    }

    private async Task RunAsync((string Name, string Command) fault)
    {
        Note(fault.Name);
        using var shell = Process.Start("/bin/sh", ["-c", $"exec >&2\n{fault.Command}"]); // stdout is for the totals.
        await shell.WaitForExitAsync();
        if (shell.ExitCode != 0)
        {
            throw new IOException($"The fault '{fault.Name}' ended with {shell.ExitCode}.");
        }
    }

    private static async Task FreezeAsync(WeirProgram? program, TimeSpan time)
    {
        program?.Signal(SignalStop);
        try
        {
            await Task.Delay(time);
        }
        finally
        {
            program?.Signal(SignalContinue);
        }
    }

    private async Task<string?> DrainAsync()
    {
        Say("no more records; waiting until all are stored");
        var start = Stopwatch.GetTimestamp();
        var ends = producer.NextOffsets;
        while (!await weir.HasStoredAsync(ends, CancellationToken.None))
        {
            if (weir.Process is null)
            {
                return "weir ended by itself";
            }

            if (Stopwatch.GetElapsedTime(start) > options.DrainTimeout)
            {
                return $"not all was stored within {options.DrainTimeout.TotalSeconds:0} s";
            }

            await Task.Delay(200);
        }

        return null;
    }

    private async Task<List<SoakView>> CompareAsync()
    {
        var sums = string.Join(", ", GeneratedTotals.Meters.Select(meter => $"sum({meter})"));
        var sql = string.Join(" UNION ALL ", GeneratedTotals.Views.Select(view => $"SELECT '{view.Name}', {sums} FROM {view.Name}"));
        var stored = (await weir.QueryAsync(sql, CancellationToken.None)).Select(row => row.Split('\t', 2)).ToDictionary(
            row => row[0], row => row[1]);
        return [.. GeneratedTotals.Views.Select(view => new SoakView(
            view.Name, string.Join('\t', generator.Totals.MeterSums), stored.GetValueOrDefault(view.Name, "nothing")))];
    }

    private void Note(string what)
    {
        _faults.Add((_elapsed.Elapsed.TotalSeconds, what));
        Say($"{_elapsed.Elapsed.TotalSeconds,6:0.0} s fault: {what}");
    }

    private async Task SampleAsync(GenerateRun run, CancellationToken cancellation)
    {
        try
        {
            while (true)
            {
                var metrics = await weir.ReadMetricsAsync(cancellation);
                var sample = new SoakSample(
                    _elapsed.Elapsed.TotalSeconds, run.HandledRecordCount,
                    metrics?.GetValueOrDefault("weir_writer_freshness_seconds") ?? double.NaN,
                    metrics?.GetValueOrDefault("weir_ingest_lag_messages") ?? double.NaN,
                    weir.Process?.ReadBill()?.ResidentBytes ?? double.NaN);
                _samples.Add(sample);
                Say(FormattableString.Invariant(
                    $"{sample.At,6:0.0} s {sample.SentRecords,14:N0} records sent  freshness {sample.Freshness:0.0} s  lag {sample.LagMessages:0} messages"));
                await Task.Delay(TimeSpan.FromSeconds(1), cancellation);
            }
        }
        catch (OperationCanceledException)
        {
            // The run is over.
        }
    }
}
