using System.Buffers;
using System.Globalization;
using System.Text.Json;
using Weir.Core.Model;

namespace Weir.Writer;

/// <summary>Rows of the ledger on their way: one line of JSON for each, as both old and new servers read them.</summary>
/// <remarks>One thread, the inserter's; the buffer is used again. A few rows for each cut: their encoding is not worth columns.</remarks>
internal sealed class LedgerRows : IDisposable
{
    /// <summary>The format's name.</summary>
    internal const string Format = "JSONEachRow";

    private static readonly JsonWriterOptions _json = new() { SkipValidation = true };

    private readonly string _process;
    private readonly int _layout;
    private readonly ArrayBufferWriter<byte> _buffer = new(16 << 10);
    private readonly Utf8JsonWriter _writer;

    /// <param name="process">Who stores, as host and process number.</param>
    /// <param name="layout">How blocks are made.</param>
    internal LedgerRows(string process, int layout = BlockName.LayoutVersion)
    {
        _process = process;
        _layout = layout;
        _writer = new Utf8JsonWriter(_buffer, _json);
    }

    /// <summary>Rows that wait.</summary>
    internal int Count { get; private set; }

    /// <summary>The rows as bytes, valid until the next call.</summary>
    internal ReadOnlyMemory<byte> Bytes => _buffer.WrittenMemory;

    /// <summary>Forgets the rows.</summary>
    internal void Clear()
    {
        _buffer.Clear();
        Count = 0;
    }

    /// <summary>Adds the row of a block, or with null that of a cut without rows.</summary>
    /// <param name="built">The cut and its account.</param>
    /// <param name="block">The block; null for a cut without rows.</param>
    /// <param name="refused">Empty when the block is in its table; otherwise what became of it.</param>
    /// <param name="now">When it was stored.</param>
    internal void Add(BuiltCut built, Block? block, string refused, DateTimeOffset now)
    {
        _writer.Reset(_buffer);
        _writer.WriteStartObject();
        WriteBlock(built.Cut, block, refused);
        WriteAccount(built.Cut, built.Account);
        _writer.WriteString("process", _process);
        _writer.WriteNumber("version", now.ToUnixTimeMilliseconds());
        _writer.WriteString("stored_at", Time(now.ToUnixTimeSeconds()));
        _writer.WriteEndObject();
        _writer.Flush();
        _buffer.Write("\n"u8);
        Count++;
    }

    /// <inheritdoc/>
    public void Dispose() => _writer.Dispose();

    private static string Time(long epochSeconds) =>
        DateTimeOffset.FromUnixTimeSeconds(epochSeconds).ToString("yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture);

    private void WriteBlock(Cut cut, Block? block, string refused)
    {
        _writer.WriteString("topic", cut.Partition.Topic);
        _writer.WriteNumber("partition", cut.Partition.Partition);
        _writer.WriteNumber("from_offset", cut.FromOffset);
        _writer.WriteNumber("to_offset", cut.ToOffset);
        _writer.WriteString("view", block?.Name.View ?? "");
        _writer.WriteNumber("part", block?.Name.Part ?? 0);
        _writer.WriteNumber("layout", _layout);
        _writer.WriteNumber("rows", block?.RowCount ?? 0);
        _writer.WriteNumber("records", block?.Sums.Records ?? 0);
        _writer.WriteNumber("packets", block?.Sums.Packets ?? 0);
        _writer.WriteNumber("bytes", block?.Sums.Bytes ?? 0);
        BlockDay[] days = block is null ? [] : [.. block.Sums.Days];
        _writer.WriteStartArray("days");
        foreach (var day in days)
        {
            _writer.WriteStringValue(DateOnly.FromDayNumber(DateOnly.FromDateTime(DateTime.UnixEpoch).DayNumber + day.Day)
                .ToString("yyyy-MM-dd", CultureInfo.InvariantCulture));
        }

        _writer.WriteEndArray();
        WriteNumbers("day_records", days.Select(day => day.Records));
        WriteNumbers("day_packets", days.Select(day => day.Packets));
        WriteNumbers("day_bytes", days.Select(day => day.Bytes));
        _writer.WriteString("refused", refused);
    }

    private void WriteAccount(Cut cut, in BlockAccount account)
    {
        _writer.WriteNumber("read", account.ReadCount);
        _writer.WriteNumber("folded", account.FoldedCount);
        _writer.WriteNumber("rejected", account.RejectedCount);
        var rejected = Enum.GetValues<DecodeStatus>().Where(status => cut.RejectedCount(status) != 0).ToList();
        _writer.WriteStartArray("rejected_reasons");
        foreach (var status in rejected)
        {
            _writer.WriteStringValue(status.Label());
        }

        _writer.WriteEndArray();
        WriteNumbers("rejected_counts", rejected.Select(status => (ulong)cut.RejectedCount(status)));
        _writer.WriteNumber("late", account.LateCount);
        _writer.WriteNumber("dropped", account.DroppedCount);
        _writer.WriteNumber("overwritten", account.OverwrittenCount);
        _writer.WriteNumber("gap_offsets", cut.GapOffsetCount);
        _writer.WriteString("first_event", Time(cut.EventTimeMin));
        _writer.WriteString("last_event", Time(cut.EventTimeMax));
    }

    private void WriteNumbers(string name, IEnumerable<ulong> numbers)
    {
        _writer.WriteStartArray(name);
        foreach (var number in numbers)
        {
            _writer.WriteNumberValue(number);
        }

        _writer.WriteEndArray();
    }
}
