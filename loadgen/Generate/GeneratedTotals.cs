using System.Runtime.InteropServices;
using System.Text.Json;
using Weir.Codecs.Flow;
using Weir.Core.Model;

namespace Weir.Loadgen.Generate;

/// <summary>What the generator's records must add up to in each view, and how many must not be there.</summary>
/// <remarks>One thread writes; read it when the generator rests.</remarks>
public sealed class GeneratedTotals
{
    private readonly Dictionary<long, WindowSums?> _seconds = [];
    private readonly HashSet<ulong>[]? _rows;
    private readonly ulong[] _meters = new ulong[Meters.Count];
    private WindowSums _lastSums = null!; // Of _lastSecond, which no record has at first.
    private long _lastSecond = -1;

    internal GeneratedTotals(bool countsRows) => _rows = countsRows ? [.. Views.Select(_ => new HashSet<ulong>())] : null;

    /// <summary>Names of the meters, in the order of <see cref="MeterSums"/>.</summary>
    public static IReadOnlyList<string> Meters { get; } =
    [
        "records", "flows", "packets", "bytes", "tcp_syn", "tcp_fin", "tcp_rst", "retransmissions", "rtt_us", "rtt_count", "duration_ms",
    ];

    /// <summary>The views of a weir whose configuration names none.</summary>
    public static IReadOnlyList<ViewDefinition> Views => StandardSchema.Views;

    /// <summary>Records made, good and bad.</summary>
    public long RecordCount { get; internal set; }

    /// <summary>Records that must not decode.</summary>
    public long MalformedCount { get; internal set; }

    /// <summary>Records too far from the time of their message, back or ahead.</summary>
    public long LateCount { get; internal set; }

    /// <summary>Records that come out of order.</summary>
    public long OutOfOrderCount { get; internal set; }

    /// <summary>Messages made.</summary>
    public long MessageCount { get; internal set; }

    /// <summary>Bytes of their values.</summary>
    public long MessageBytes { get; internal set; }

    /// <summary>Series that ever existed, drawn or not; attacks not among them.</summary>
    public long SeriesMadeCount { get; internal set; }

    /// <summary>What every view must add up to, by <see cref="Meters"/>.</summary>
    public IReadOnlyList<ulong> MeterSums => _meters;

    /// <summary>Rows that a view must have; −1 when they are not counted.</summary>
    public long RowCount(int view) => _rows is null ? -1 : _rows[view].Count;

    /// <summary>Records, packets and bytes by window of a view, in the order of time.</summary>
    public IReadOnlyList<(long Window, long RecordCount, ulong Packets, ulong Bytes)> Windows(int view)
    {
        var granularity = Views[view].GranularitySeconds;
        return [.. _seconds.GroupBy(second => second.Key / granularity * granularity).OrderBy(window => window.Key).Select(window => (
            window.Key,
            window.Sum(second => second.Value!.RecordCount),
            window.Aggregate(0UL, (sum, second) => sum + second.Value!.Packets),
            window.Aggregate(0UL, (sum, second) => sum + second.Value!.Bytes)))];
    }

    /// <summary>Writes all as properties of the object that is open.</summary>
    /// <param name="json">The writer.</param>
    /// <param name="withWindows">True to write the sums of each window too.</param>
    public void WriteTo(Utf8JsonWriter json, bool withWindows)
    {
        json.WriteNumber("records", RecordCount);
        json.WriteNumber("folded", RecordCount - MalformedCount - LateCount);
        json.WriteNumber("rejected", MalformedCount);
        json.WriteNumber("late", LateCount);
        json.WriteNumber("out_of_order", OutOfOrderCount);
        json.WriteNumber("messages", MessageCount);
        json.WriteNumber("message_bytes", MessageBytes);
        json.WriteNumber("series_made", SeriesMadeCount);
        json.WriteStartObject("views");
        for (var view = 0; view < Views.Count; view++)
        {
            json.WriteStartObject(Views[view].Name);
            for (var meter = 0; meter < Meters.Count; meter++)
            {
                json.WriteNumber(Meters[meter], _meters[meter]);
            }

            if (_rows is not null)
            {
                json.WriteNumber("rows", RowCount(view));
            }

            if (withWindows)
            {
                WriteWindows(json, view);
            }

            json.WriteEndObject();
        }

        json.WriteEndObject();
    }

    /// <summary>Counts a record that must be folded.</summary>
    internal void Add(in FlowRecord record, in SeriesTags tags)
    {
        var scale = Math.Max(record.SamplingRate, 1);
        var packets = record.Packets * scale;
        var bytes = record.Bytes * scale;
        _meters[0]++;
        _meters[1] += record.Flows;
        _meters[2] += packets;
        _meters[3] += bytes;
        _meters[4] += record.TcpSyn;
        _meters[5] += record.TcpFin;
        _meters[6] += record.TcpRst;
        _meters[7] += record.Retransmissions;
        _meters[8] += record.RttUs;
        _meters[9] += record.RttCount;
        _meters[10] += record.DurationMs;
        var second = SecondOf((long)record.TimeSeconds);
        second.RecordCount++;
        second.Packets += packets;
        second.Bytes += bytes;
        if (_rows is not null)
        {
            for (var view = 0; view < _rows.Length; view++)
            {
                var granularity = (ulong)Views[view].GranularitySeconds;
                var isEdge = Views[view].Tags.Count > 3;
                _rows[view].Add(Core.Hashing.TagHash.Combine(isEdge ? tags.EdgeHash : tags.ServiceHash, record.TimeSeconds / granularity));
            }
        }
    }

    private WindowSums SecondOf(long second)
    {
        if (second != _lastSecond)
        {
            ref var sums = ref CollectionsMarshal.GetValueRefOrAddDefault(_seconds, second, out _);
            _lastSums = sums ??= new WindowSums();
            _lastSecond = second;
        }

        return _lastSums;
    }

    private void WriteWindows(Utf8JsonWriter json, int view)
    {
        json.WriteStartArray("windows");
        foreach (var (window, recordCount, packets, bytes) in Windows(view))
        {
            json.WriteStartObject();
            json.WriteNumber("time", window);
            json.WriteNumber("records", recordCount);
            json.WriteNumber("packets", packets);
            json.WriteNumber("bytes", bytes);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    private sealed class WindowSums
    {
        public long RecordCount;
        public ulong Packets;
        public ulong Bytes;
    }
}
