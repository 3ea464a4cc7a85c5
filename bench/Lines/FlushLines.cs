using System.Text;
using Weir.Bench.Flows;
using Weir.Bench.Measure;
using Weir.Bench.Paths;
using Weir.Bench.Peers;
using Weir.Bench.Report;
using Weir.Codecs.ClickHouse;
using Weir.Core.Buffers;
using Weir.Core.Model;
using Weir.Writer;

namespace Weir.Bench.Lines;

/// <summary>The flush of a view: rows to a sorted Native block, and what sorting saves in bytes.</summary>
internal static class FlushLines
{
    private const int SeriesCount = 1_000_000;
    private const int FlowCount = 4_000_000; // About a million rows.

    /// <summary>Seconds of a cut: the default of <c>flush.interval</c>.</summary>
    private const int CutSeconds = 10;

    /// <summary>The group.</summary>
    public static LineGroup Group { get; } = new(
        ["flush.rows", "flush.bytes.lz4", "flush.bytes.zstd"],
        "full-key sort and a column at a time / ours, a cut of 10 s with about 1 M rows; size of a sorted block / an unsorted one",
        Run);

    private static IEnumerable<LineResult> Run(BenchContext context)
    {
        context.Log("flush.rows");
        using var path = new WeirPath("weir");
        var cut = path.Fold(new FlowSet(SeriesCount, FlowCount, spanSeconds: CutSeconds).Messages("weir"));
        var exporters = Enumerable.Range(0, cut.Strings.Count).Select(id => Encoding.UTF8.GetString(cut.Strings.Utf8(id))).ToList();
        yield return Rows(context, path.Schema, cut, exporters);
        context.Log("flush.bytes");
        yield return Bytes(path.Schema, cut, exporters, FrameMethod.Lz4, "lz4", LineTarget.AtMost(0.85, 0.78));
        yield return Bytes(path.Schema, cut, exporters, FrameMethod.Zstd, "zstd", LineTarget.AtMost(0.78, 0.68));
        path.Release(cut);
        context.Forget();
    }

    private static unsafe LineResult Rows(BenchContext context, StreamSchema schema, Cut cut, IReadOnlyList<string> exporters)
    {
        var view = schema.Views[0];
        var budget = new MemoryBudget(long.MaxValue);
        using var rows = new SortedRows(schema, 90, 1, budget);
        using var block = new NativeBuffer(budget);
        var encoder = new ViewEncoder(view, schema);
        var texts = new TextRanks();
        texts.Load(cut.Strings);
        using var peer = new EdgeBlocks(FrameMethod.None);
        var store = cut.Rows(0, 0)!;

        ulong Ours()
        {
            rows.Load(cut, view, encoder.Keys, texts);
            var (rawBytes, sums) = encoder.Encode(rows, 0, rows.Count, texts, block);
            return (ulong)rawBytes + sums.Bytes + Sample(new ReadOnlySpan<byte>(block.Start, (int)rawBytes));
        }

        ulong Peer()
        {
            var bytesSum = peer.Encode(store, view, exporters);
            return (ulong)peer.RawBytes + bytesSum + Sample(peer.Raw);
        }

        _ = Ours();
        _ = Peer();
        if (!peer.Raw.SequenceEqual(new ReadOnlySpan<byte>(block.Start, peer.RawBytes)))
        {
            throw new ChecksumException("The peer's block is not Weir's: not the same output.");
        }

        var rounds = Rounds.Measure(
            context.Plan,
            RoundClock.ThreadCpu,
            store.Count,
            new Contender("Array.Sort, a column at a time", Peer),
            new Contender("Weir", Ours));
        return new LineResult(
            "flush.rows", "Array.Sort by the full key, then a column at a time / ours, rows of edge_1s, no compression", "ns/row")
        {
            Ours = rounds.Nanos(1),
            Peer = rounds.Nanos(0),
            Ratio = rounds.Ratio(0, 1),
            Target = LineTarget.AtLeast(3.5, 5.5),
            Note = $"{store.Count:N0} rows. Both make the same bytes, and the block's sums. Ours sorts in "
                + $"{Nanos(() => rows.Load(cut, view, encoder.Keys, texts)) / store.Count:F0} ns a row. "
                + $"Allocated a row: {rounds.AllocatedBytes(1):F3} B.",
        };
    }

    /// <summary>CPU of a part of the job, ns; the median of five.</summary>
    private static double Nanos(Action part)
    {
        var nanos = new double[5];
        for (var round = 0; round < nanos.Length; round++)
        {
            var from = CpuClock.ThreadNanos();
            part();
            nanos[round] = CpuClock.ThreadNanos() - from;
        }

        return Rounds.Median(nanos);
    }

    private static LineResult Bytes(
        StreamSchema schema, Cut cut, IReadOnlyList<string> exporters, FrameMethod method, string name, LineTarget target)
    {
        using var blocks = new EdgeBlocks(method);
        var store = cut.Rows(0, 0)!;
        _ = blocks.Encode(store, schema.Views[0], exporters);
        var sorted = blocks.Compress();
        _ = blocks.Encode(store, schema.Views[0], exporters, isSorted: false);
        var unsorted = blocks.Compress();
        return new LineResult(
            $"flush.bytes.{name}", $"sorted / unsorted size of a block, {(method == FrameMethod.Zstd ? "zstd 1" : "lz4")}", "B/row")
        {
            Ours = (double)sorted / store.Count,
            Peer = (double)unsorted / store.Count,
            Ratio = (double)sorted / unsorted,
            Target = target,
            Note = $"edge_1s, {store.Count:N0} rows of {FlowCount:N0} flows, drawn by zipf over the seconds of a cut; "
                + "unsorted is the order in which they came.",
        };
    }

    /// <summary>Some words of the block; all bytes were compared before the rounds.</summary>
    private static ulong Sample(ReadOnlySpan<byte> raw)
    {
        var sum = 0UL;
        for (var offset = 0; offset < raw.Length; offset += 4093)
        {
            sum = (sum * 31) + raw[offset];
        }

        return sum;
    }
}
