using System.Globalization;
using Weir.Tests.Support;
using Weir.Tests.Support.Agents;
using Xunit;

namespace Weir.Tests.EndToEnd;

/// <summary>
/// Packets on a real interface → softflowd → nfacctd → a broker process → <c>weir run</c> processes → ClickHouse, and tshark, which
/// counts the packets in the capture itself: equal, not close.
/// </summary>
[Collection(AloneCollection.Name)]
public sealed class AgentsToTablesTests(ClickHouseServer server) : IClassFixture<ClickHouseServer>
{
    private const int Seed = 20261121;

    [RealPartFact(
        RealPart.LocalRdkafka,
        RealPart.EmbeddedClickHouse,
        RealPart.ClickHouseServer,
        RealPart.Softflowd,
        RealPart.Nfacctd,
        RealPart.Tshark,
        RealPart.PacketCapture)]
    public async Task Packets_and_bytes_of_each_tag_set_are_those_that_tshark_counts()
    {
        using var bed = await PipelineBed.StartAsync("flows:2");
        var pcap = Path.Combine(bed.DirectoryPath, "traffic.pcap");
        var expected = Capture(pcap);
        var port = PmacctAgents.FreeUdpPort();
        using var nfacctd = PmacctAgents.StartNfacctd(bed.DirectoryPath, bed.Kafka.Bootstrap, "flows", port);
        var onServer = await bed.RunAsync(bed.Configure($"url: {server.Url}, database: e2e_agents", [("flows", "pmacct-json")], "first"));
        var embedded = await bed.RunAsync(bed.Configure(bed.Embedded(), [("flows", "pmacct-json")], "second"));

        PmacctAgents.ExportCapture(bed.DirectoryPath, pcap, port);

        foreach (var run in new[] { onServer, embedded })
        {
            // Agents give no sign that they have said everything: wait until the packets are as many, then all must be equal.
            var packets = expected.Values.Sum(sum => sum.PacketCount);
            var stored = new FlowSumsByKey();
            await Eventually.TrueAsync(
                async () => (stored = await StoredAsync(run, "edge_1s")).Values.Sum(sum => sum.PacketCount) >= packets,
                () => $"{packets} packets in {run.Process.ErrorText}; there are {stored.Values.Sum(sum => sum.PacketCount)}");
            Assert.Equal(expected, stored);
            Assert.Equal(expected, await StoredAsync(run, "edge_1m"));
            Assert.Equal(["127.0.0.1"], await run.QueryAsync("SELECT DISTINCT exporter FROM edge_1s"));
            Assert.Equal(0, await run.AccountAsync("rejected"));
            await PipelineBed.AssertStopsAsync(run);
        }
    }

    private static FlowSumsByKey Capture(string pcap)
    {
        using var traffic = new LoopbackTraffic();
        using var capture = PacketCapture.Start(pcap, traffic.Filter);
        traffic.Talk(Seed, rounds: 10);
        capture.Stop();
        return Tshark.Sum(pcap);
    }

    private static async Task<FlowSumsByKey> StoredAsync(WeirRun run, string view)
    {
        var sums = new FlowSumsByKey();
        if (await run.AccountAsync("folded") == 0)
        {
            return sums; // There may be no tables yet.
        }

        foreach (var row in await run.QueryAsync(
            $"SELECT IPv6NumToString(src_addr), IPv6NumToString(dst_addr), dst_port, proto, sum(packets), sum(bytes) FROM {view} "
            + "GROUP BY src_addr, dst_addr, dst_port, proto"))
        {
            var columns = row.Split('\t');
            var numbers = columns[2..].Select(text => long.Parse(text, CultureInfo.InvariantCulture)).ToArray();
            sums.Add(
                new FlowKey(FlowSumsByKey.Normalize(columns[0]), FlowSumsByKey.Normalize(columns[1]), (int)numbers[0], (int)numbers[1]),
                numbers[2],
                numbers[3]);
        }

        return sums;
    }
}
