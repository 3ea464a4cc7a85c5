using Weir.Bench.Flows;
using Weir.Bench.Measure;
using Weir.Bench.Paths;
using Weir.Bench.Peers;
using Weir.Bench.Report;
using Weir.Writer;

namespace Weir.Bench.Lines;

/// <summary>Letting the database do it: CPU of raw rows into ClickHouse with summing views, through CPU of Weir and the server.</summary>
/// <remarks>
/// Both begin with bytes in memory: ours with <c>weir-proto</c> messages, the peer with Native blocks that somebody has made already,
/// LZ4 for a server; making them is not counted. Merges are waited for and counted.
/// </remarks>
internal static class ClickHouseLines
{
    /// <summary>A group for each line: on a server of 2018, and in the embedded engine.</summary>
    public static IReadOnlyList<LineGroup> Groups { get; } =
    [
        Server("vs.clickhouse.100k", 100_000, keepsRaw: false, LineTarget.AtLeast(3.5, 6)),
        Server("vs.clickhouse-raw", 100_000, keepsRaw: true, LineTarget.AtLeast(8, 14)),
        Embedded("vs.clickhouse.embedded.100k", 100_000),
        Server("vs.clickhouse.1m", 1_000_000, keepsRaw: false, LineTarget.AtLeast(3, 5)),
        Embedded("vs.clickhouse.embedded.1m", 1_000_000),
    ];

    private static LineGroup Server(string id, int seriesCount, bool keepsRaw, LineTarget target) => new(
        [id],
        $"CPU of raw rows -> {(keepsRaw ? "MergeTree" : "Null")} and 2 views / (Weir + server), clickhouse-server 18.16.1, "
            + $"{seriesCount:N0} series; 1 M flows",
        context => RunServer(context, id, seriesCount, keepsRaw, target));

    private static LineGroup Embedded(string id, int seriesCount) => new(
        [id],
        $"the same in the embedded ClickHouse 26.7, {seriesCount:N0} series, all in one process",
        context => RunEmbedded(context, id, seriesCount))
    {
        IsLong = true,
    };

    private static IEnumerable<LineResult> RunServer(BenchContext context, string id, int seriesCount, bool keepsRaw, LineTarget target)
    {
        context.Log(id);
        using var server = PrivateServer.TryStart(out var reason);
        if (server is null)
        {
            yield return new LineResult(id, "raw rows into ClickHouse / Weir", "CPU s/1M") { Skipped = reason, Target = target };
            yield break;
        }

        using var engine = new ServerEngine(server);
        var roundCount = context.Plan.IsQuick ? 1 : context.Plan.RoundCount;
        yield return Compare(context, id, "18.16.1", engine, context.PathFlows(seriesCount), keepsRaw, roundCount) with { Target = target };
        context.Forget();
    }

    private static IEnumerable<LineResult> RunEmbedded(BenchContext context, string id, int seriesCount)
    {
        if (context.Plan.IsQuick && seriesCount > 100_000)
        {
            yield break;
        }

        context.Log(id);
        EmbeddedEngine? engine = null;
        string? reason = null;
        try
        {
            engine = new EmbeddedEngine();
        }
        catch (SinkUnusableException missing)
        {
            reason = missing.Message;
        }

        using (engine)
        {
            var roundCount = context.Plan.IsQuick ? 1 : 3;
            yield return engine is null
                ? new LineResult(id, "raw rows into the embedded ClickHouse / Weir", "CPU s/1M") { Skipped = reason }
                : Compare(context, id, "26.7, embedded", engine, context.PathFlows(seriesCount), keepsRaw: false, roundCount);
        }

        context.Forget();
    }

    private static LineResult Compare(
        BenchContext context, string id, string version, ClickHouseEngine engine, FlowSet flows, bool keepsRaw, int roundCount)
    {
        var messages = flows.Messages("weir-proto");
        var blocks = RawRows.Blocks(flows, engine.IsFramed);
        using var path = new WeirPath("weir-proto", engine.Options);
        var ours = new List<double>();
        var peers = new List<double>();
        var ratios = new List<double>();
        var warmUpCount = context.Plan.IsQuick ? 0 : 1;
        for (var round = -warmUpCount; round < roundCount; round++)
        {
            var peer = engine.Measure(() => PreparePeer(engine, blocks, keepsRaw));
            var own = engine.Measure(() => PrepareWeir(engine, path, messages));
            if (peer.Sums != own.Sums)
            {
                throw new ChecksumException($"The views of raw rows add up to {peer.Sums}, Weir's tables to {own.Sums}.");
            }

            if (round >= 0)
            {
                peers.Add(peer.CpuNanos / 1e3 / flows.Count);
                ours.Add(own.CpuNanos / 1e3 / flows.Count);
                ratios.Add(peers[^1] / ours[^1]);
            }
        }

        return new LineResult(
            id, $"raw rows -> {(keepsRaw ? "MergeTree" : "Null")} + 2 views / (Weir + server), ClickHouse {version}", "CPU s/1M")
        {
            Ours = Rounds.Median(ours),
            Peer = Rounds.Median(peers),
            Ratio = Rounds.Median(ratios),
            Note = $"CPU seconds for 1 M flows, all processes, until merges rest; sums of both are equal. {flows.Count:N0} "
                + $"flows; {ratios.Count} rounds.",
        };
    }

    private static Action PreparePeer(ClickHouseEngine engine, List<byte[]> blocks, bool keepsRaw)
    {
        foreach (var statement in RawRows.CreateStatements(ClickHouseEngine.Database, keepsRaw))
        {
            engine.Execute(statement);
        }

        return () => blocks.ForEach(engine.InsertRaw);
    }

    private static Action PrepareWeir(ClickHouseEngine engine, WeirPath path, byte[][] messages)
    {
        var features = engine.Sink.ConnectAsync(CancellationToken.None).GetAwaiter().GetResult();
        SchemaPlan.ReadAsync(engine.Sink, path.Schema, engine.Options, features, CancellationToken.None).GetAwaiter().GetResult()
            .EnsureAsync(engine.Sink, CancellationToken.None).GetAwaiter().GetResult();
        return () =>
        {
            using var built = path.Build(messages);
            foreach (var block in built.Blocks)
            {
                var reply = engine.Sink.InsertAsync(block, CancellationToken.None).GetAwaiter().GetResult();
                if (reply.Outcome != InsertOutcome.Stored)
                {
                    throw new InvalidOperationException($"ClickHouse did not take {block.Name}: {reply.Message}");
                }
            }
        };
    }
}
