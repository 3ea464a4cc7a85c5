using Weir.Tests.EndToEnd;
using Weir.Tests.Support;
using Xunit;

namespace Weir.Tests.Deploy;

/// <summary>A running weir takes a changed configuration in the three ways that there are, and loses nothing by it.</summary>
[Collection(RealPartsCollection.Name)]
public sealed class ReloadTests(ClickHouseServer server) : IClassFixture<ClickHouseServer>
{
    private const int PartitionCount = 3;
    private const int RoundRecords = 20_000;
    private const string Column = "views:\n  - { name: ports_1m, granularity: 1m, tags: [dst_port], meters: [records, bytes] }\n";

    [RealPartFact(RealPart.LocalRdkafka, RealPart.ClickHouseServer)]
    public async Task Views_change_at_a_cut_by_a_swapped_link_and_no_open_sum_is_lost()
    {
        using var bed = await PipelineBed.StartAsync($"flows:{PartitionCount}");
        var port = ClickHouseServer.FreePort();
        var old = Configure(bed, "reload_views", port, "flush: { interval: 1h }"); // What is open stays open until the reload.
        var link = Link(bed, old);
        var run = await bed.RunAsync(link);
        Produce(bed);
        await Eventually.TrueAsync(async () => await run.MetricAsync("weir_ingest_read_records_total") == RoundRecords, "all is read");
        Assert.Equal(0, await run.AccountAsync("read"));

        Swap(bed, link, Configure(bed, "reload_views", port, "flush: { interval: 500ms }\n" + Column));

        await run.Process.LineAsync("Reloaded (the file has changed): in force when what was read is stored: flush.interval, views");
        Assert.Contains("everything read is stored: True", await run.Process.LineAsync("Drained for a reload"), StringComparison.Ordinal);
        await Eventually.TrueAsync(() => Task.FromResult(run.Process.CountLines("admin at ") == 2), "the pipeline is built anew");
        Produce(bed);
        await bed.StoredAsync(run);

        // The first round is in the old views, whole; the second in the new one.
        Assert.Equal(RoundRecords, await run.NumberAsync("SELECT sum(records) FROM edge_1s"));
        Assert.Equal(RoundRecords, await run.NumberAsync("SELECT sum(records) FROM ports_1m"));
        Assert.Equal(0, await run.MetricAsync("weir_ingest_replays_total"));
        Assert.Equal(1, await run.MetricAsync("weir_config_reloads_total", "result=\"applied\""));
        await PipelineBed.AssertStopsAsync(run);
    }

    [RealPartFact(RealPart.LocalRdkafka, RealPart.ClickHouseServer)]
    public async Task A_wrong_file_is_refused_whole_and_sighup_and_the_command_take_a_right_one()
    {
        using var bed = await PipelineBed.StartAsync($"flows:{PartitionCount}");
        var port = ClickHouseServer.FreePort();
        var file = Configure(bed, "reload_bad", port, "flush: { interval: 500ms }");
        var good = await File.ReadAllTextAsync(file);
        var run = await bed.RunAsync(file);
        Assert.Equal(1, await run.MetricAsync("weir_config_is_current"));

        // One right change beside a wrong one: neither is taken.
        await File.WriteAllTextAsync(file, good + "log: { level: debug }\nmemory: { limit: 1MB }\n");
        await run.Process.LineAsync("Reload refused (the file has changed), the configuration before stays in force");
        Assert.Contains("memory.limit is 1MB", run.Process.ErrorText, StringComparison.Ordinal);
        Assert.Equal(0, await run.MetricAsync("weir_config_is_current"));
        Assert.True(await run.MetricAsync("weir_config_reloads_total", "result=\"refused\"") >= 1); // Twice, where half a file is seen first.
        var (refused, _, said) = await ProgramProcess.RunAsync(bed.DirectoryPath, null, "reload", "--url", $"http://127.0.0.1:{port}/");
        Assert.Equal(2, refused);
        Assert.Contains("refused, and nothing has changed", said, StringComparison.Ordinal);

        // The level changes at once; the format waits for a new process.
        await File.WriteAllTextAsync(file, good + "log: { level: error, format: json }\n");
        run.Process.Signal("HUP");
        await Eventually.TrueAsync(async () => await run.MetricAsync("weir_config_is_current") == 1, "the file is in force");
        Assert.Equal(1, await run.MetricAsync("weir_config_restart_options"));
        Assert.Equal(1, run.Process.CountLines("admin at ")); // The pipeline goes on as it was.
        using var client = new HttpClient();
        Assert.Contains("level: error", await client.GetStringAsync(new Uri(run.AdminUrl, "configuration")), StringComparison.Ordinal);

        await File.WriteAllTextAsync(file, good);
        var (taken, _, answer) = await ProgramProcess.RunAsync(bed.DirectoryPath, null, "reload", "-c", file);
        Assert.True(taken == 0, answer);
        Assert.Contains("in force: log.level", answer, StringComparison.Ordinal);
        Produce(bed);
        await bed.StoredAsync(run);
        Assert.Equal(RoundRecords, await run.NumberAsync("SELECT sum(records) FROM edge_1m"));
        await PipelineBed.AssertStopsAsync(run);
    }

    [RealPartFact(RealPart.LocalRdkafka, RealPart.ClickHouseServer)]
    public async Task Views_that_the_tables_do_not_fit_are_refused_before_anything_is_drained()
    {
        using var bed = await PipelineBed.StartAsync($"flows:{PartitionCount}");
        var port = ClickHouseServer.FreePort();
        var file = Configure(bed, "reload_table", port, "flush: { interval: 500ms }");
        var run = await bed.RunAsync(file);
        Produce(bed);
        await bed.StoredAsync(run);
        await server.RunAsync("CREATE TABLE reload_table.ports_1m (x UInt8) ENGINE = Memory");

        await File.AppendAllTextAsync(file, Column);
        var (code, _, answer) = await ProgramProcess.RunAsync(bed.DirectoryPath, null, "reload", "--url", $"http://127.0.0.1:{port}/");

        Assert.Equal(2, code);
        Assert.Contains("ports_1m is a Memory and must be a SummingMergeTree", answer, StringComparison.Ordinal);
        Produce(bed);
        await bed.StoredAsync(run);
        Assert.Equal(1, run.Process.CountLines("admin at "));
        await PipelineBed.AssertStopsAsync(run);
    }

    private static void Produce(PipelineBed bed) =>
        bed.Produce("flows", PartitionCount, FlowFeed.Messages("weir", FlowFeed.Make("weir", 7, RoundRecords), 200));

    private string Configure(PipelineBed bed, string database, int adminPort, string more)
    {
        var file = bed.Configure($"url: {server.Url}, database: {database}", [("flows", "weir")]);
        var text = File.ReadAllText(file).Replace("flush: { interval: 500ms }", more, StringComparison.Ordinal)
            .Replace("127.0.0.1:0", $"127.0.0.1:{adminPort}", StringComparison.Ordinal);
        File.WriteAllText(file, text.TrimEnd() + "\n");
        return file;
    }

    /// <summary>The file as a pod sees it: a link through a link that is swapped as a whole.</summary>
    private static string Link(PipelineBed bed, string target)
    {
        var mount = Directory.CreateDirectory(Path.Combine(bed.DirectoryPath, "mount")).FullName;
        Directory.CreateDirectory(Path.Combine(mount, "..v1"));
        File.Copy(target, Path.Combine(mount, "..v1", "weir.yaml"));
        Directory.CreateSymbolicLink(Path.Combine(mount, "..data"), "..v1");
        File.CreateSymbolicLink(Path.Combine(mount, "weir.yaml"), Path.Combine("..data", "weir.yaml"));
        return Path.Combine(mount, "weir.yaml");
    }

    private static void Swap(PipelineBed bed, string link, string target)
    {
        var mount = Path.GetDirectoryName(link)!;
        Directory.CreateDirectory(Path.Combine(mount, "..v2"));
        File.Copy(target, Path.Combine(mount, "..v2", "weir.yaml"));
        Directory.CreateSymbolicLink(Path.Combine(mount, "..tmp"), "..v2");
        Manifests.Run("mv", "-T", Path.Combine(mount, "..tmp"), Path.Combine(mount, "..data"));
        Assert.StartsWith(bed.DirectoryPath, mount, StringComparison.Ordinal);
    }
}
