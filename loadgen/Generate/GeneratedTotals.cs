using System.Runtime.InteropServices;
using System.Text.Json;
using Weir.Codecs.Flow;
using Weir.Core.Model;

namespace Weir.Loadgen.Generate;

/// <summary>What made records must add up to in each view, and how many must not be there: of one message, or of all.</summary>
/// <remarks>One thread writes; read it when the generator rests.</remarks>
public sealed class GeneratedTotals
{
    private readonly Dictionary<long, WindowSums> _seconds = [];
    private readonly HashSet<ulong>[]? _rows;
    private readonly ulong[] _meters = new ulong[Meters.Count];
    private WindowSums _lastSums; // Of _lastSecond, not in _seconds yet: most records have the second of the one before.
    private long _lastSecond;

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
        LeaveSecond();
        var granularity = Views[view].GranularitySeconds;
        return [.. _seconds.GroupBy(second => second.Key / granularity * granularity).OrderBy(window => window.Key).Select(window => (
            window.Key,
            window.Sum(second => second.Value.RecordCount),
            window.Aggregate(0UL, (sum, second) => sum + second.Value.Packets),
            window.Aggregate(0UL, (sum, second) => sum + second.Value.Bytes)))];
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
        if ((long)record.TimeSeconds != _lastSecond)
        {
            LeaveSecond();
            _lastSecond = (long)record.TimeSeconds;
        }

        _lastSums.RecordCount++;
        _lastSums.Packets += packets;
        _lastSums.Bytes += bytes;
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

    /// <summary>Adds what others have, so many times: a message that is sent again holds its records again, in the same rows.</summary>
    internal void Add(GeneratedTotals other, long times)
    {
        RecordCount += other.RecordCount * times;
        MalformedCount += other.MalformedCount * times;
        LateCount += other.LateCount * times;
        OutOfOrderCount += other.OutOfOrderCount * times;
        MessageCount += other.MessageCount * times;
        MessageBytes += other.MessageBytes * times;
        SeriesMadeCount = Math.Max(SeriesMadeCount, other.SeriesMadeCount);
        for (var meter = 0; meter < _meters.Length; meter++)
        {
            _meters[meter] += other._meters[meter] * (ulong)times;
        }

        other.LeaveSecond();
        foreach (var (second, sums) in other._seconds)
        {
            CollectionsMarshal.GetValueRefOrAddDefault(_seconds, second, out _).Add(sums, (ulong)times);
        }

        for (var view = 0; view < (_rows?.Length ?? 0) && times > 0; view++)
        {
            _rows![view].UnionWith(other._rows![view]);
        }
    }

    /// <summary>Others of the same kind, of no records.</summary>
    internal GeneratedTotals NewEmpty() => new(_rows is not null);

    /// <summary>Begins anew.</summary>
    internal void Clear()
    {
        (RecordCount, MalformedCount, LateCount, OutOfOrderCount, MessageCount, MessageBytes) = (0, 0, 0, 0, 0, 0);
        Array.Clear(_meters);
        _seconds.Clear();
        _lastSums = default;
        foreach (var rows in _rows ?? [])
        {
            rows.Clear();
        }
    }

    private void LeaveSecond()
    {
        if (_lastSums.RecordCount > 0)
        {
            CollectionsMarshal.GetValueRefOrAddDefault(_seconds, _lastSecond, out _).Add(_lastSums, 1);
            _lastSums = default;
        }
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

    private struct WindowSums
    {
        public long RecordCount;
        public ulong Packets;
        public ulong Bytes;

        public void Add(in WindowSums other, ulong times)
        {
            RecordCount += other.RecordCount * (long)times;
            Packets += other.Packets * times;
            Bytes += other.Bytes * times;
        }
    }
}
