extern alias bench;

using bench::Weir.Bench.Flows;
using bench::Weir.Bench.Measure;
using bench::Weir.Bench.Paths;
using bench::Weir.Bench.Peers;
using Xunit;

namespace Weir.Tests.Bench;

/// <summary>The peers do the same job as Weir: a ratio of different jobs means nothing.</summary>
public class PeerTests
{
    private const int SeriesCount = 300;
    private const int RecordCount = 2_500;

    private static readonly FlowSet _flows = new(SeriesCount, RecordCount);

    [Fact]
    public void Competent_peer_makes_weirs_blocks_to_the_byte()
    {
        var messages = _flows.Messages("weir-proto");
        using var path = new WeirPath("weir-proto");
        using var built = path.Build(messages);
        using var peer = new CompetentPipeline();
        var blocks = new List<byte[]>();
        peer.BlockBuilt = pieces => blocks.Add(PathViews.Unframe(pieces));

        var result = peer.RunProto(messages);

        Assert.Equal(built.Blocks.Select(block => PathViews.Unframe(block.Pieces)), blocks);
        Assert.Equal(PathResult.Of(built).Checksum, result.Checksum);
        Assert.Equal(2UL * RecordCount, result.RecordsSum);
    }

    [Theory]
    [InlineData("goflow2")]
    [InlineData("weir")]
    [InlineData("pmacct-json")]
    public void Peers_come_to_weirs_rows_and_sums(string format)
    {
        using var path = new WeirPath(format);
        using var competent = new CompetentPipeline();
        using var idiomatic = new IdiomaticPipeline();

        var ours = path.Run(_flows.Messages(format));
        var peer = format switch
        {
            "goflow2" => competent.RunGoflow2(_flows.Messages(format)),
            "weir" => idiomatic.RunProto(_flows.Messages("weir-proto")),
            _ => idiomatic.RunPmacct(_flows.Messages(format)),
        };

        Assert.Equal(ours.Checksum, peer.Checksum);
    }

    [Fact]
    public void Path_gives_the_same_result_cut_after_cut()
    {
        var messages = _flows.Messages("weir");
        using var path = new WeirPath("weir");

        Assert.Equal(path.Run(messages), path.Run(messages));
    }

    [Fact]
    public void Every_layout_of_two_cores_has_the_same_rows()
    {
        var messages = _flows.Messages("weir-proto");
        byte[][][] partitions = [messages[..1], messages[1..]];
        var checksums = Enum.GetValues<TwoCoreLayout>().Select(layout =>
        {
            using var path = new TwoCorePath("weir-proto", layout);
            return path.Run(partitions).Checksum;
        });

        Assert.Single(checksums.Distinct());
    }

    [Fact]
    public void Flows_are_the_same_each_time_and_a_series_keeps_its_tags()
    {
        Assert.Equal(_flows.Messages("weir-proto"), new FlowSet(SeriesCount, RecordCount).Messages("weir-proto"));
        var random = new Random(1);
        var (one, other) = (FlowSet.Record(17, random), FlowSet.Record(17, random));
        Assert.Equal((one.SrcAddr, one.SrcPort, one.SrcAs), (other.SrcAddr, other.SrcPort, other.SrcAs));
        Assert.Equal((one.DstAddr, one.DstPort), (other.DstAddr, other.DstPort));
        Assert.Equal(1_000_000, Enumerable.Range(0, 1_000_000).Select(series => FlowSet.Record(series, random).SrcAddr).Distinct().Count());
    }

    [Fact]
    public void Zipf_draws_its_first_rank_as_often_as_the_law_says()
    {
        const int DrawCount = 100_000;
        var draw = new ZipfDraw(1_000, seed: 1);
        var law = 1 / Enumerable.Range(1, 1_000).Sum(rank => Math.Pow(rank, -ZipfDraw.Exponent));

        var mostFrequent = Enumerable.Range(0, DrawCount).GroupBy(_ => draw.Next()).Max(series => series.Count());

        Assert.InRange(mostFrequent, law * DrawCount * 0.95, law * DrawCount * 1.05);
    }

    [Fact]
    public void Designs_of_ns1_agree_and_give_up_what_is_quiet()
    {
        INs1Design[] designs = [new Ns1Map(), new Ns1Tree()];
        foreach (var design in designs)
        {
            for (var index = 0; index < 20_000; index++)
            {
                design.Put([new("record", $"host-{index % 3_000}"), new("pop", $"{index % 3_000 % 7}")], 1, now: index < 10_000 ? 1 : 2);
            }

            // All 3,000 were updated in both halves.
            Assert.Equal(0, design.Flush(before: 2));
            design.Put([new("record", "new")], 5, now: 3);
            Assert.Equal(20_000, design.Flush(before: 3));
            Assert.Equal(5, design.Flush(before: 4));
            Assert.Equal(0, design.Flush(before: long.MaxValue));
        }
    }

    [Fact]
    public void Tree_keeps_its_order_and_one_metric_for_a_name()
    {
        var tree = new Ns1Tree.BTree();
        var random = new Random(7);
        var names = Enumerable.Range(0, 50_000).Select(_ => $"m{random.Next(20_000)}").ToList();
        names.ForEach(name => tree.GetOrAdd(name).Sum++);

        var walked = tree.Walk().ToList();

        Assert.Equal(names.Distinct().Order(StringComparer.Ordinal), walked.Select(metric => metric.Name));
        Assert.Equal(names.Count, walked.Sum(metric => metric.Sum));
    }

    [Fact]
    public void Rounds_of_peers_that_disagree_are_no_result()
    {
        var plan = new RoundPlan(1, TimeSpan.Zero, IsQuick: true);

        var error = Assert.Throws<ChecksumException>(
            () => Rounds.Measure(plan, RoundClock.Wall, 1, new Contender("one", () => 1), new Contender("other", () => 2)));

        Assert.Contains("other returned the checksum 2, one 1", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void All_contenders_run_equally_often()
    {
        var (first, second) = (0, 0);
        var plan = new RoundPlan(4, TimeSpan.Zero, IsQuick: false);

        _ = Rounds.Measure(
            plan,
            RoundClock.ThreadCpu,
            1,
            new Contender("one", () => Count(ref first)),
            new Contender("other", () => Count(ref second)));

        Assert.Equal(first, second);
        Assert.True(first > plan.RoundCount);
    }

    private static ulong Count(ref int runs)
    {
        runs++;
        return 1;
    }
}
