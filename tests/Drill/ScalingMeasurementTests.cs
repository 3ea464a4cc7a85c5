using System.Diagnostics;
using System.Globalization;
using System.Text;
using Weir.Tests.EndToEnd;
using Weir.Tests.Support;
using Xunit;
using Xunit.Abstractions;

namespace Weir.Tests.Drill;

/// <summary>
/// What workers cost and bring: one group under a steady load grows worker by worker and is rolled, keyed and not. Here in small, for the
/// account and for the law of rows; <c>scripts/measure-scaling.sh</c> measures it in full and prints the table of docs/scaling.md.
/// </summary>
[Collection(ProcessesCollection.Name)]
public sealed class ScalingMeasurementTests(ITestOutputHelper output)
{
    /// <summary>File that the table goes to; set by the script, and then the measurement is the full one.</summary>
    private const string OutVariable = "WEIR_SCALING_OUT";

    private const int PartitionCount = 8;
    private const string View = "hosts_1m";
    private const double CaughtUpSeconds = 2; // A flush of 1 s and what its storing takes.

    private static readonly string? _outFile = Environment.GetEnvironmentVariable(OutVariable) is { Length: > 0 } file ? file : null;
    private static readonly Size _size = _outFile is null
        ? new Size(WorkersMax: 1, RecordsPerMessage: 20, SeriesCount: 400, LoadSeconds: 1)
        : new Size(WorkersMax: 4, RecordsPerMessage: 400, SeriesCount: 4_000, LoadSeconds: 30);

    /// <summary>Whether the topic is keyed. The drill has keys that occur everywhere, so in small the other one is enough.</summary>
    public static TheoryData<bool> Topics => _outFile is null ? [true] : [true, false];

    [RealPartTheory(RealPart.LocalRdkafka, RealPart.ClickHouseServer, RealPart.ZooKeeper)]
    [MemberData(nameof(Topics))]
    public async Task Workers_of_a_group_share_the_load_and_count_each_record_once(bool isKeyed)
    {
        await using var keeper = new ZooKeeperServer();
        await keeper.StartAsync();
        var server = ClickHouseServer.NewReplica(keeper.Port, "one");
        try
        {
            await server.StartAsync();
            using var bed = await PipelineBed.StartAsync($"flows:{PartitionCount}");
            var config = bed.Configure(
                $"url: {server.Url}, database: laws, retention: {{ 1s: off, 1m: off }}", [("flows", "weir")], more: $$"""
                    views:
                      - { name: {{View}}, granularity: 1m, tags: [src_addr], meters: [records, bytes] }
                    """);
            var group = new WorkerGroup(bed, config, PartitionCount, ("WEIR__FLUSH__INTERVAL", "1s"));
            await group.GrowAsync(1);
            await using var load = new DrillLoad(
                bed, DrillTraffic.OfSeries("flows", PartitionCount, _size.RecordsPerMessage, _size.SeriesCount, isKeyed));
            load.Start(() => group.Members);
            var readings = new List<Reading>();
            for (var count = 1; count <= _size.WorkersMax; count++)
            {
                var from = Stopwatch.GetTimestamp();
                await group.GrowAsync(count);
                var handOver = Stopwatch.GetElapsedTime(from);
                await CaughtUpAsync(load);
                load.Mark($"to {count}");
                readings.Add(await ReadAsync(group, handOver));
                load.Mark($"with {count}");
            }

            if (_outFile is not null)
            {
                await group.RollAsync();
                load.Mark("roll");
            }

            await load.StopAsync();
            var members = group.Members;
            await bed.StoredAsync(members[0], [.. members.Skip(1)]);
            await group.ShrinkAsync(1);
            _ = await group.Members[0].StopAsync();

            // 0 duplicates, 0 losses.
            var audit = await ProgramProcess.RunAsync(bed.DirectoryPath, null, "audit", "-c", config);
            Assert.True(audit.Code == 0, audit.Output + audit.Error);
            Assert.Equal(Text(load.RecordCount), await server.RunAsync($"SELECT sum(records) FROM laws.{View}"));
            Assert.Equal(Text(load.ByteCount), await server.RunAsync($"SELECT sum(bytes) FROM laws.{View}"));
            var series = long.Parse(await server.RunAsync($"SELECT uniqExact(src_addr) FROM laws.{View}"), CultureInfo.InvariantCulture);
            Assert.InRange(series, 1, _size.SeriesCount);
            Assert.All(readings, reading => Assert.True(reading.Records > 0 && reading.Rows > 0 && reading.CpuSeconds > 0, reading.ToString()));
            Print(isKeyed, series, readings, load);
        }
        finally
        {
            await server.DisposeAsync();
        }
    }

    /// <summary>
    /// The hand-over is over when what waited meanwhile is stored; on a busy machine that may never be, and then it ends after a while.
    /// </summary>
    private static Task CaughtUpAsync(DrillLoad load)
    {
        var clock = Stopwatch.StartNew();
        return Eventually.TrueAsync(
            () => Task.FromResult(load.LastAge < CaughtUpSeconds || clock.Elapsed.TotalSeconds >= _size.LoadSeconds),
            "a while has passed", TimeSpan.FromSeconds(120));
    }

    /// <summary>What the group did in a while of steady load, after every worker has stored something.</summary>
    private static async Task<Reading> ReadAsync(WorkerGroup group, TimeSpan handOver)
    {
        var members = group.Members;
        await Eventually.TrueAsync(
            async () => (await Task.WhenAll(members.Select(member => member.AccountAsync("folded")))).All(count => count > 0),
            () => $"each of {members.Count} workers has stored something; the last one said {members[^1].Process.ErrorText}");
        var before = await SumAsync(members);
        var clock = Stopwatch.StartNew();
        await Eventually.TrueAsync(
            () => Task.FromResult(clock.Elapsed >= TimeSpan.FromSeconds(_size.LoadSeconds)),
            "the load has run for a while",
            TimeSpan.FromSeconds(120));

        // Until something more is stored: a busy machine may need longer than the while.
        var after = before;
        await Eventually.TrueAsync(async () => (after = await SumAsync(members)).Records > before.Records, "something is stored meanwhile");
        return new Reading(
            members.Count, handOver, clock.Elapsed.TotalSeconds, after.CpuSeconds - before.CpuSeconds, after.Records - before.Records,
            after.Rows - before.Rows, after.Cuts - before.Cuts);
    }

    private static async Task<(double CpuSeconds, long Records, long Rows, long Cuts)> SumAsync(List<WeirRun> members)
    {
        var (cpu, records, rows, cuts) = (0.0, 0L, 0L, 0L);
        foreach (var member in members)
        {
            var metrics = await member.MetricsAsync();
            records += (long)metrics["weir_writer_account_records_total{line=\"folded\"}"];
            rows += (long)metrics[$"weir_writer_rows_total{{view=\"{View}\"}}"];
            cuts += (long)metrics["weir_writer_ledger_rows_total"]; // One view: a row of the ledger is a cut.
            cpu += member.Process.CpuTime.TotalSeconds;
        }

        return (cpu, records, rows, cuts);
    }

    private void Print(bool isKeyed, long series, List<Reading> readings, DrillLoad load)
    {
        var steps = load.Steps().ToDictionary(step => step.Name);
        var text = new StringBuilder();
        text.Append(
            CultureInfo.InvariantCulture,
            $"\n{(isKeyed ? "Keyed" : "Not keyed")}, {PartitionCount} partitions, {series} series, flush 1 s:\n\n");
        text.Append("| workers | flows/s | CPU a flow | rows a series and flush | hand-over "
            + "| freshness meanwhile p50 / p99 | freshness then p50 / p99 | longest without an owner |\n");
        text.Append("|---|---|---|---|---|---|---|---|\n");
        foreach (var reading in readings)
        {
            var (grown, steady) = (steps.GetValueOrDefault($"to {reading.Workers}"), steps.GetValueOrDefault($"with {reading.Workers}"));
            var flushes = (double)reading.Cuts / PartitionCount;
            text.Append(
                CultureInfo.InvariantCulture,
                $"| {reading.Workers} | {reading.Records / reading.Seconds:0} | {reading.CpuSeconds / reading.Records * 1e6:0.00} µs "
                + $"| {reading.Rows / flushes / series:0.00} | {(reading.Workers == 1 ? "–" : $"{reading.HandOver.TotalSeconds:0.0} s")} "
                + $"| {Pair(grown)} | {Pair(steady)} | {grown?.UnownedSeconds ?? 0:0.0} s |\n");
        }

        if (steps.TryGetValue("roll", out var roll))
        {
            text.Append(
                CultureInfo.InvariantCulture,
                $"\nRoll of {_size.WorkersMax}: freshness {Pair(roll)}, longest without an owner {roll.UnownedSeconds:0.0} s. ");
        }

        text.Append(CultureInfo.InvariantCulture, $"{load.RecordCount} records, 0 duplicates, 0 losses (weir audit: exact).\n");
        output.WriteLine(text.ToString());
        if (_outFile is not null)
        {
            File.AppendAllText(_outFile, text.ToString());
        }
    }

    private static string Pair(DrillStep? step) =>
        step is null ? "–" : string.Create(CultureInfo.InvariantCulture, $"{step.FreshnessP50:0.0} / {step.FreshnessP99:0.0} s");

    private static string Text(long number) => number.ToString(CultureInfo.InvariantCulture);

    /// <summary>How much is measured.</summary>
    private sealed record Size(int WorkersMax, int RecordsPerMessage, int SeriesCount, int LoadSeconds);

    /// <summary>What a group of so many workers did in a while.</summary>
    private sealed record Reading(int Workers, TimeSpan HandOver, double Seconds, double CpuSeconds, long Records, long Rows, long Cuts);
}
