using System.Globalization;
using System.Net;
using System.Text.Json;
using Weir.Core.Model;
using Weir.Host;
using Weir.Host.Admin;
using Weir.Host.Audit;
using Weir.Host.Commands;
using Weir.Tests.Support;
using Weir.Writer;
using Xunit;

namespace Weir.Tests.Host;

/// <summary><c>weir audit</c> whole, on both real engines and with a real broker.</summary>
[Collection(RealPartsCollection.Name)]
public sealed class AuditEngineTests(ClickHouseServer server) : IClassFixture<ClickHouseServer>, IDisposable
{
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("weir-audit-");
    private readonly StringWriter _output = new();
    private readonly MemoryStream _outputBytes = new();
    private readonly StringWriter _error = new();

    [RealPartFact(RealPart.ClickHouseServer)]
    public async Task The_audit_of_a_server_of_2018_is_exact_and_finds_what_is_changed()
    {
        var options = server.NewOptions();
        await using var sink = BlockSinks.Create(options, TimeProvider.System);
        await sink.ConnectAsync(default);
        var config = Config($"clickhouse: {{ url: \"{options.Url}\", user: weir, password: {options.Password}, database: {options.Database}, {Kept} }}");

        await ExactThenDamagedAsync(sink, config, options.Database);
    }

    [RealPartFact(RealPart.EmbeddedClickHouse)]
    public async Task The_audit_of_an_embedded_store_goes_through_the_weir_that_holds_it()
    {
        var options = new WriterOptions { Url = null, EmbeddedPath = Path.Combine(_directory.FullName, "store") };
        var config = Config($"clickhouse: {{ embedded: {options.EmbeddedPath}, {Kept} }}");
        await using (var sink = BlockSinks.Create(options, TimeProvider.System))
        {
            await sink.ConnectAsync(default);
            await using var admin = new AdminServer(new AdminOptions { Listen = new IPEndPoint(IPAddress.Loopback, 0) }, "test", new AdminSources
            {
                Metrics = [],
                Queues = () => [],
                Positions = () => [],
                Health = () => new HealthReport([], []),
                Account = () => default(BlockAccount),
                Query = (sql, format, output, cancel) => SinkStore.QueryAsync(sink, sql, format, output, cancel),
            });
            await admin.StartAsync(default);
            AdminFile.Write(options.EmbeddedPath, admin.Url);
            await ExactThenDamagedAsync(sink, config, options.Database);
        }

        Assert.Equal(1, await RunAsync("audit", "-c", config, "--no-kafka", "--wait", "0s")); // Now it opens the store itself.
    }

    [RealPartFact(RealPart.LocalRdkafka, RealPart.ClickHouseServer)]
    public async Task Committed_offsets_and_plans_are_read_without_joining_the_group()
    {
        using var broker = KafkaBroker.Start("flows", 3);
        for (var partition = 0; partition < 3; partition++)
        {
            broker.Produce("flows", partition, [.. Enumerable.Range(0, 150).Select(_ => "x"u8.ToArray())]);
        }

        var options = server.NewOptions();
        await using var sink = BlockSinks.Create(options, TimeProvider.System);
        await sink.ConnectAsync(default);
        var config = Config($"""
            kafka: {ValuesOf(("bootstrap", broker.Bootstrap), ("group", "audited"))}
            clickhouse: {ValuesOf(("url", $"{options.Url}"), ("user", "weir"), ("password", options.Password), ("database", options.Database))}
            """);
        await MakeTablesAsync(sink, config);
        var bed = new AuditBed(1);
        bed.Rows.Clear();
        for (var partition = 0; partition < 2; partition++)
        {
            bed.Rows.AddRange(bed.Cut(new PartitionKey("flows", partition), 0, 100, folded: 40));
        }

        await InsertAsync(sink, bed.Rows, options.Database);
        CommitWithMetadata.Commit(broker.Bootstrap, "audited", "flows", (0, 100, "weir-plan layout=1 to=150"), (1, 120, ""));

        var code = await RunAsync("audit", "-c", config, "--json");

        using var json = JsonDocument.Parse(_output.ToString());
        Assert.Equal(1, code);
        Assert.Equal(3, json.RootElement.GetProperty("partitions").GetInt32());
        Assert.Equal("[[1,100,120]]", JsonSerializer.Serialize(json.RootElement.GetProperty("gaps").EnumerateArray()
            .Select(gap => new[] { Number(gap, "partition"), Number(gap, "from"), Number(gap, "to") })));
        Assert.Contains("in flight: flows/0 offsets 100 to 149", json.RootElement.GetProperty("notes")[0].GetString(), StringComparison.Ordinal);

        CommitWithMetadata.Commit(broker.Bootstrap, "audited", "flows", (1, 100, ""));
        Assert.Equal(0, await RunAsync("audit", "-c", config));
    }

    [RealPartFact(RealPart.EmbeddedClickHouse)]
    public async Task What_cannot_be_looked_at_ends_with_2_and_says_why()
    {
        var store = Path.Combine(_directory.FullName, "store");
        var config = Config($"kafka: {ValuesOf(("bootstrap", "127.0.0.1:1"))}\nclickhouse: {{ embedded: {store} }}");
        Assert.Equal(2, await RunAsync("audit", "-c", config, "--json"));
        Assert.Equal("unknown", JsonDocument.Parse(_output.ToString()).RootElement.GetProperty("verdict").GetString());
        Assert.Contains("the audit could not look: there is no embedded store", _error.ToString(), StringComparison.Ordinal);

        Directory.CreateDirectory(store);
        Assert.Equal(2, await RunAsync("audit", "-c", config));
        Assert.Contains("there is no table weir_ledger in weir", _error.ToString(), StringComparison.Ordinal);
        Assert.Equal(2, await RunAsync("audit", "-c", config, "--topic", "other"));
        Assert.Contains("the configuration has no topic other", _error.ToString(), StringComparison.Ordinal);
        Assert.Equal(2, await RunAsync("audit", "-c", config, "--since", "yesterday"));
        Assert.Contains("--since is 'yesterday'", _error.ToString(), StringComparison.Ordinal);
    }

    public void Dispose()
    {
        _directory.Delete(recursive: true);
        _output.Dispose();
        _outputBytes.Dispose();
        _error.Dispose();
    }

    private static string Kept => "retention: { 1s: off, 1m: off }";

    private static string ValuesOf(params (string Key, string Value)[] values) =>
        $"{{ {string.Join(", ", values.Select(pair => $"{pair.Key}: \"{pair.Value}\""))} }}";

    private static long Number(JsonElement element, string name) => element.GetProperty(name).GetInt64();

    private async Task ExactThenDamagedAsync(IBlockSink sink, string config, string database)
    {
        await MakeTablesAsync(sink, config);
        var bed = new AuditBed(11);
        await InsertAsync(sink, bed.Rows, database);
        await InsertAsync(sink, bed.Rows.Select(row => row with { Version = 2 }), database, hasTables: false); // Written again by a replay.

        Assert.Equal((0, ""), (await RunAsync("audit", "-c", config, "--no-kafka", "--json"), _error.ToString()));
        using var exact = JsonDocument.Parse(_output.ToString());
        Assert.Equal("exact", exact.RootElement.GetProperty("verdict").GetString());
        var expected = bed.Audit();
        Assert.Equal(expected.BlockCount, Number(exact.RootElement, "blocks"));
        Assert.Equal(expected.Account.ReadCount, Number(exact.RootElement, "records_read"));
        Assert.Equal(expected.Account.FoldedCount, Number(exact.RootElement, "records_folded"));
        Assert.Equal(expected.Account.RejectedCount, Number(exact.RootElement.GetProperty("losses"), "rejected"));
        var edge = exact.RootElement.GetProperty("views").GetProperty("edge_1m");
        Assert.Equal((expected.Account.FoldedCount, true), (Number(edge, "records"), edge.GetProperty("equal").GetBoolean()));

        Assert.Equal(0, await RunAsync("audit", "-c", config, "--no-kafka", "--since", "2026-09-04T13:00:00Z", "--json"));
        using var since = JsonDocument.Parse(_output.ToString());
        var today = bed.Tables["edge_1m"][AuditBed.Today].Records;
        Assert.Equal(today, since.RootElement.GetProperty("views").GetProperty("edge_1m").GetProperty("records").GetUInt64());

        await sink.ExecuteAsync(
            $"INSERT INTO {database}.service_1m (time, dst_port, records) VALUES ({AuditBed.Today * 86_400L}, 1, 7)", default);
        Assert.Equal(1, await RunAsync("audit", "-c", config, "--no-kafka", "--wait", "0s"));
        Assert.Contains("wrong: service_1m on 2026-09-04 UTC: the table has 7 records more", _output.ToString(), StringComparison.Ordinal);
        Assert.Contains("\n1 difference\n", _output.ToString(), StringComparison.Ordinal);
    }

    private static async Task MakeTablesAsync(IBlockSink sink, string config)
    {
        var loaded = HostConfig.LoadGood(await File.ReadAllTextAsync(config));
        var schema = StreamSchema.Compile(loaded.Options.EffectiveViews);
        var plan = await SchemaPlan.ReadAsync(sink, schema, loaded.Options.Writer, await sink.ConnectAsync(default), default);
        await plan.EnsureAsync(sink, default);
    }

    private static async Task InsertAsync(IBlockSink sink, IEnumerable<LedgerRow> rows, string database, bool hasTables = true)
    {
        var list = rows.ToList();
        await sink.ExecuteAsync(
            $"INSERT INTO {database}.weir_ledger ({LedgerColumns}) VALUES {string.Join(", ", list.Select(LedgerValues))}", default);
        foreach (var view in hasTables ? list.Where(row => row.View.Length > 0).GroupBy(row => row.View) : [])
        {
            var hasPackets = view.Key != "ports_1s";
            var values = view.SelectMany(row => row.Days.Select((day, index) => string.Create(
                CultureInfo.InvariantCulture,
                $"({day.Day * 86_400L}, {index}, {day.Sums.Records}, {(hasPackets ? $"{day.Sums.Packets}, " : "")}{day.Sums.Bytes})")));
            await sink.ExecuteAsync(
                $"INSERT INTO {database}.{view.Key} (time, dst_port, records, {(hasPackets ? "packets, " : "")}bytes) VALUES {string.Join(", ", values)}",
                default);
        }
    }

    private const string LedgerColumns =
        "topic, `partition`, from_offset, to_offset, view, part, layout, rows, records, packets, bytes, days, day_records, day_packets, "
        + "day_bytes, read, folded, rejected, rejected_reasons, rejected_counts, late, dropped, overwritten, gap_offsets, first_event, "
        + "last_event, process, version, stored_at";

    private static string LedgerValues(LedgerRow row) => string.Create(CultureInfo.InvariantCulture, $"""
        ('{row.Partition.Topic}', {row.Partition.Partition}, {row.FromOffset}, {row.ToOffset}, '{row.View}', {row.Part}, {row.Layout}, 1,
        {row.Sums.Records}, {row.Sums.Packets}, {row.Sums.Bytes}, [{Join(row.Days.Select(day => $"'{AuditWords.Day(day.Day)}'"))}],
        [{Join(row.Days.Select(day => $"{day.Sums.Records}"))}], [{Join(row.Days.Select(day => $"{day.Sums.Packets}"))}],
        [{Join(row.Days.Select(day => $"{day.Sums.Bytes}"))}], {row.Account.ReadCount}, {row.Account.FoldedCount},
        {row.Account.RejectedCount}, [{Join(row.Reasons.Select(reason => $"'{reason.Reason}'"))}],
        [{Join(row.Reasons.Select(reason => $"{reason.Count}"))}], {row.Account.LateCount}, 0, 0, {row.GapOffsetCount}, {row.FirstEvent},
        {row.LastEvent}, 'host:1', {row.Version}, {row.StoredAt + 1_700_000_000})
        """);

    private static string Join(IEnumerable<string> items) => string.Join(", ", items);

    private string Config(string yaml)
    {
        var path = Path.Combine(_directory.FullName, "weir.yaml");
        File.WriteAllText(path, yaml + """

            views:
              - { name: edge_1m, granularity: 1m, tags: [dst_port], meters: [packets, bytes] }
              - { name: ports_1s, granularity: 1s, tags: [dst_port], meters: [bytes] }
              - { name: service_1m, granularity: 1m, tags: [dst_port], meters: [packets, bytes] }
            """);
        return path;
    }

    private Task<int> RunAsync(params string[] args)
    {
        _output.GetStringBuilder().Clear();
        _error.GetStringBuilder().Clear();
        return WeirProgram.RunAsync(
            args,
            new CommandContext
            {
                Output = _output,
                OutputStream = _outputBytes,
                Error = _error,
                Environment = new Dictionary<string, string>(),
                OpenShutdownSignal = () => new ShutdownSignal(_ => { }),
            },
            new WeirBackend());
    }
}
