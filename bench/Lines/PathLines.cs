using Weir.Bench.Flows;
using Weir.Bench.Measure;
using Weir.Bench.Paths;
using Weir.Bench.Peers;
using Weir.Bench.Report;

namespace Weir.Bench.Lines;

/// <summary>Whole paths in memory on one core: bytes of messages to compressed blocks.</summary>
internal static class PathLines
{
    private const string Steps = "decode, 1 s and 1 min of edge, sorted Native blocks, LZ4";

    /// <summary>Paths at 100,000 series.</summary>
    public static LineGroup Group { get; } = new(
        ["path.proto", "path.native", "path.goflow2"], $"competent .NET / ours, one core, 100 k series: {Steps}; a flow", Run);

    /// <summary>The same beside what most would write first.</summary>
    public static LineGroup GroupIdiomatic { get; } = new(
        ["path.proto.idiomatic", "path.json.idiomatic"], $"idiomatic .NET / ours, one core, 100 k series: {Steps}; a flow", RunIdiomatic)
    {
        IsLong = true,
    };

    /// <summary>The path at 1,000,000 series.</summary>
    public static LineGroup Group1m { get; } = new(
        ["path.1m"], $"competent .NET / ours, one core, 1 M series: {Steps}; a flow", Run1m);

    /// <summary>Where the time of the paths goes.</summary>
    public static LineGroup GroupStages { get; } = new(
        ["path.stages.100k", "path.stages.1m", "path.stages.native"], "what each stage of the path costs; a flow", RunStages)
    {
        IsLong = true,
    };

    private static IEnumerable<LineResult> RunStages(BenchContext context)
    {
        (string Id, string Format, int SeriesCount)[] paths =
        [
            ("path.stages.100k", "weir-proto", 100_000),
            ("path.stages.native", "weir", 100_000),
            ("path.stages.1m", "weir-proto", 1_000_000),
        ];
        foreach (var (id, format, seriesCount) in paths)
        {
            context.Log(id);
            var flows = context.PathFlows(seriesCount);
            var messages = flows.Messages(format);
            using var stages = new PathStages(format);
            var rounds = new List<long[]>();
            for (var round = -2; round < context.Plan.RoundCount; round++)
            {
                using var pin = round < 0 ? null : ThreadPin.ToLast(); // Two rounds to warm up.
                var nanos = stages.Run(messages);
                if (round >= 0)
                {
                    rounds.Add(nanos);
                }
            }

            var medians = PathStages.Names.Select(
                (name, stage) => (Name: name, Nanos: Rounds.Median([.. rounds.Select(nanos => (double)nanos[stage] / flows.Count)])));
            yield return new LineResult(id, $"ours alone, {format}, by stage", "ns/flow")
            {
                Ours = medians.Sum(stage => stage.Nanos),
                Note = string.Join(", ", medians.Select(stage => $"{stage.Name} {stage.Nanos:F1}")) + ".",
            };
            context.Forget();
        }
    }

    private static IEnumerable<LineResult> Run(BenchContext context)
    {
        var flows = context.PathFlows(100_000);
        using var competent = new CompetentPipeline();
        context.Log("path.proto, path.native");
        var proto = flows.Messages("weir-proto");
        var batch = flows.Messages("weir");
        RequireSameBytes(proto, competent);
        using (var ours = new WeirPath("weir-proto"))
        using (var ourBatch = new WeirPath("weir"))
        {
            var rounds = Rounds.Measure(
                context.Plan,
                RoundClock.ThreadCpu,
                flows.Count,
                new Contender("competent .NET", () => competent.RunProto(proto).Checksum),
                new Contender("Weir, weir-proto", () => ours.Run(proto).Checksum),
                new Contender("Weir, weir batch", () => ourBatch.Run(batch).Checksum));
            var note = Note(flows, ours.Run(proto).RowCount);
            var target = LineTarget.AtLeast(4, 6);
            yield return Line("path.proto", "competent .NET / ours, weir-proto", rounds, 0, 1, target, flows, "weir-proto", note);
            target = LineTarget.AtLeast(6.5, 9.5);
            yield return Line(
                "path.native", "competent .NET on weir-proto / ours on the weir batch", rounds, 0, 2, target, flows, "weir", note);
        }

        context.Log("path.goflow2");
        var goflow2 = flows.Messages("goflow2");
        using (var ours = new WeirPath("goflow2"))
        {
            var rounds = Rounds.Measure(
                context.Plan,
                RoundClock.ThreadCpu,
                flows.Count,
                new Contender("competent .NET", () => competent.RunGoflow2(goflow2).Checksum),
                new Contender("Weir, goflow2", () => ours.Run(goflow2).Checksum));
            yield return Line(
                "path.goflow2", "competent .NET / ours, goflow2 protobuf", rounds, 0, 1, LineTarget.AtLeast(3, 4.2), flows, "goflow2", "");
        }

        context.Forget();
    }

    private static IEnumerable<LineResult> RunIdiomatic(BenchContext context)
    {
        // What informs only gets a third of the rounds, and a tenth of the flows.
        context.Log("path.proto.idiomatic, path.json.idiomatic");
        using var idiomatic = new IdiomaticPipeline();
        var few = new FlowSet(100_000, BenchContext.Flows100kCount / 10);
        var plan = context.Plan with { RoundCount = Math.Max(3, context.Plan.RoundCount / 3) };
        foreach (var (id, format) in ((string, string)[])[("path.proto.idiomatic", "weir-proto"), ("path.json.idiomatic", "pmacct-json")])
        {
            var messages = few.Messages(format);
            Func<byte[][], PathResult> peer = format == "weir-proto" ? idiomatic.RunProto : idiomatic.RunPmacct;
            using var ours = new WeirPath(format);
            var rounds = Rounds.Measure(
                plan,
                RoundClock.ThreadCpu,
                few.Count,
                new Contender("idiomatic .NET", () => peer(messages).Checksum),
                new Contender("Weir", () => ours.Run(messages).Checksum));
            yield return Line(
                id, $"idiomatic .NET / ours, {format}", rounds, 0, 1, null, few, format, Note(few, ours.Run(messages).RowCount));
        }

        context.Forget();
    }

    private static IEnumerable<LineResult> Run1m(BenchContext context)
    {
        context.Log("path.1m");
        var flows = context.PathFlows(1_000_000);
        var proto = flows.Messages("weir-proto");
        using var competent = new CompetentPipeline();
        using var ours = new WeirPath("weir-proto");
        var rounds = Rounds.Measure(
            context.Plan with { WarmUp = TimeSpan.Zero }, // One round is more than a second.
            RoundClock.ThreadCpu,
            flows.Count,
            new Contender("competent .NET", () => competent.RunProto(proto).Checksum),
            new Contender("Weir", () => ours.Run(proto).Checksum));
        yield return Line(
            "path.1m", "competent .NET / ours, weir-proto, 1 M series", rounds, 0, 1, LineTarget.AtLeast(3.5, 5.2), flows, "weir-proto",
            Note(flows, ours.Run(proto).RowCount));
        context.Forget();
    }

    private static LineResult Line(
        string id, string title, Rounds rounds, int peer, int ours, LineTarget? target, FlowSet flows, string format, string note) =>
        new(id, title, "ns/flow")
        {
            Ours = rounds.Nanos(ours),
            Peer = rounds.Nanos(peer),
            Ratio = rounds.Ratio(peer, ours),
            Target = target,
            Note = $"{1e3 / rounds.Nanos(ours):F1} M flows/s on one core; {flows.BytesPerRecord(format):F0} B a flow; allocated a flow: "
                + $"{rounds.AllocatedBytes(ours):F2} B, peer {rounds.AllocatedBytes(peer):F0} B. {note}",
        };

    private static string Note(FlowSet flows, long rowCount) =>
        $"{flows.Count:N0} flows a cut, {(double)flows.Count / rowCount:F1} for each row of the two views.";

    /// <summary>Before anything is timed: the peer's blocks must be Weir's to the byte.</summary>
    private static void RequireSameBytes(byte[][] messages, CompetentPipeline competent)
    {
        var peers = new List<byte[]>();
        competent.BlockBuilt = pieces => peers.Add(PathViews.Unframe(pieces));
        _ = competent.RunProto(messages);
        competent.BlockBuilt = null;
        using var ours = new WeirPath("weir-proto");
        using var built = ours.Build(messages);
        foreach (var (block, peer) in built.Blocks.Zip(peers))
        {
            if (!PathViews.Unframe(block.Pieces).AsSpan().SequenceEqual(peer))
            {
                throw new ChecksumException($"The peer's block of {block.Name.View} is not Weir's: not the same output.");
            }
        }
    }
}
