using System.Globalization;
using System.IO.Pipelines;
using System.Text;
using Weir.Core.Model;
using Weir.Host.Commands;

namespace Weir.Host.Audit;

/// <summary>The questions of an audit, in SQL that 18.16 and 26.7 both answer, and their answers.</summary>
internal sealed class LedgerQueries(IStoreQuestions store)
{
    /// <summary>Name of the ledger's table.</summary>
    public const string Table = "weir_ledger";

    private const string Format = "TabSeparatedRaw";

    /// <summary>Partitions that a question lists one by one; with more it is asked for the whole ledger.</summary>
    private const int ListedPartitionsMax = 2_000;

    private const string Columns =
        "topic, `partition`, from_offset, to_offset, view, part, layout, records, packets, bytes, "
        + "arrayStringConcat(arrayMap(x -> toString(toUInt16(x)), days), ','), "
        + "arrayStringConcat(arrayMap(x -> toString(x), day_records), ','), "
        + "arrayStringConcat(arrayMap(x -> toString(x), day_packets), ','), "
        + "arrayStringConcat(arrayMap(x -> toString(x), day_bytes), ','), "
        + "read, folded, rejected, late, dropped, overwritten, "
        + "arrayStringConcat(rejected_reasons, ','), arrayStringConcat(arrayMap(x -> toString(x), rejected_counts), ','), "
        + "gap_offsets, toUInt32(first_event), toUInt32(last_event), version, toUInt32(stored_at), refused != ''";

    /// <summary>The tables of the database.</summary>
    public async Task<HashSet<string>> ReadTablesAsync(CancellationToken cancel) =>
        [.. (await AskAsync("SELECT name FROM system.tables WHERE database = currentDatabase()", cancel)).Select(row => row[0])];

    /// <summary>The server's time.</summary>
    public async Task<DateTimeOffset> ReadNowAsync(CancellationToken cancel) =>
        DateTimeOffset.FromUnixTimeSeconds(Number((await AskAsync("SELECT toUInt32(now())", cancel))[0][0]));

    /// <summary>A text that changes when the ledger does.</summary>
    public async Task<string> ReadFingerprintAsync(CancellationToken cancel)
    {
        var rows = await AskAsync(
            $"SELECT count(), max(version), sum(cityHash64(topic, `partition`, from_offset, to_offset, view, part, version)) "
            + $"FROM {Table} FINAL",
            cancel);
        return string.Join(' ', rows[0]);
    }

    /// <summary>When the first block of each view was stored.</summary>
    public async Task<Dictionary<string, uint>> ReadViewsSinceAsync(CancellationToken cancel) =>
        (await AskAsync($"SELECT view, toUInt32(min(stored_at)) FROM {Table} FINAL GROUP BY view", cancel))
            .ToDictionary(row => row[0], row => (uint)Number(row[1]));

    /// <summary>
    /// The condition for the rows that tell of a day or a later one, and for all cuts between them, so that ranges can be compared.
    /// </summary>
    public async Task<string> ReadSinceConditionAsync(int sinceDay, CancellationToken cancel)
    {
        if (sinceDay == 0)
        {
            return "1";
        }

        var seconds = sinceDay * 86_400L;
        var isSince = $"toUInt32(stored_at) >= {seconds} OR toUInt32(last_event) >= {seconds}";
        var rows = await AskAsync(
            $"SELECT topic, `partition`, minIf(from_offset, {isSince}), max(from_offset), countIf({isSince}) FROM {Table} FINAL "
            + "GROUP BY topic, `partition` ORDER BY topic, `partition`",
            cancel);

        // Of a partition without such a cut its last one, where its log should be tiled from.
        var parts = rows.Select(row =>
            $"(topic = {Writer.SqlText.Text(row[0])} AND `partition` = {row[1]} "
            + $"AND from_offset >= {(row[4] == "0" ? row[3] : row[2])})").ToList();
        return parts.Count is 0 or > ListedPartitionsMax ? "1" : string.Join(" OR ", parts);
    }

    /// <summary>Sums of a view's table by day, of all shards of servers together.</summary>
    public async Task<IReadOnlyDictionary<int, MeterSums>> ReadTableAsync(AuditView view, int sinceDay, CancellationToken cancel)
    {
        var packets = view.HasPackets ? "sum(packets)" : "toUInt64(0)";
        var bytes = view.HasBytes ? "sum(bytes)" : "toUInt64(0)";
        var where = sinceDay == 0 ? "" : $"WHERE toUInt32(time) >= {sinceDay * 86_400L} ";
        var sums = new Dictionary<int, MeterSums>();
        for (var shard = 0; shard < store.ShardCount; shard++)
        {
            var rows = await AskAsync(
                $"SELECT intDiv(toUInt32(time), 86400) AS day, sum(records), {packets}, {bytes} "
                + $"FROM {Writer.SqlText.Name(view.Name)} {where}GROUP BY day",
                cancel,
                shard);
            foreach (var row in rows)
            {
                var day = (int)Number(row[0]);
                sums[day] = sums.GetValueOrDefault(day) + new MeterSums(Unsigned(row[1]), Unsigned(row[2]), Unsigned(row[3]));
            }
        }

        return sums;
    }

    /// <summary>Reads the ledger in order, row by row as it comes: it may be larger than the memory.</summary>
    public async IAsyncEnumerable<LedgerRow> ReadLedgerAsync(
        string condition, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancel)
    {
        var sql = $"SELECT {Columns} FROM {Table} FINAL WHERE {condition} ORDER BY topic, `partition`, from_offset, to_offset, view, part";
        var pipe = new Pipe();
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        var asking = AskIntoAsync(sql, pipe.Writer, stop.Token);
        using (var reader = new StreamReader(pipe.Reader.AsStream(), Encoding.UTF8))
        {
            while (await reader.ReadLineAsync(cancel) is { } line)
            {
                yield return Parse(line.Split('\t'));
            }
        }

        await asking;
    }

    private async Task AskIntoAsync(string sql, PipeWriter writer, CancellationToken cancel)
    {
        Exception? failure = null;
        try
        {
            await store.AskAsync(sql, Format, writer.AsStream(leaveOpen: true), cancel);
        }
        catch (Exception error) // Whatever it is, the reader gets it.
        {
            failure = error;
        }

        await writer.CompleteAsync(failure);
    }

    private async Task<List<string[]>> AskAsync(string sql, CancellationToken cancel, int shard = 0)
    {
        using var buffer = new MemoryStream();
        await store.AskShardAsync(shard, sql, Format, buffer, cancel);
        return [.. Encoding.UTF8.GetString(buffer.GetBuffer(), 0, (int)buffer.Length)
            .Split('\n')[..^1]
            .Select(line => line.Split('\t'))];
    }

    private static LedgerRow Parse(string[] row) => new()
    {
        Partition = new PartitionKey(row[0], (int)Number(row[1])),
        FromOffset = Number(row[2]),
        ToOffset = Number(row[3]),
        View = row[4],
        Part = (int)Number(row[5]),
        Layout = (int)Number(row[6]),
        Sums = new MeterSums(Unsigned(row[7]), Unsigned(row[8]), Unsigned(row[9])),
        Days = ParseDays(row[10], row[11], row[12], row[13]),
        Account = new BlockAccount(
            Number(row[14]), Number(row[15]), Number(row[16]), Number(row[17]), Number(row[18]), Number(row[19])),
        Reasons = [.. Items(row[20]).Zip(Items(row[21]), (reason, count) => new ReasonCount(reason, Number(count)))],
        GapOffsetCount = Number(row[22]),
        FirstEvent = (uint)Number(row[23]),
        LastEvent = (uint)Number(row[24]),
        Version = Unsigned(row[25]),
        StoredAt = (uint)Number(row[26]),
        IsRefused = row[27] == "1",
    };

    private static List<DaySums> ParseDays(string days, string records, string packets, string bytes)
    {
        var (recordsOf, packetsOf, bytesOf) = (Items(records), Items(packets), Items(bytes));
        return
        [
            .. Items(days).Select((day, index) => new DaySums(
                (int)Number(day), new MeterSums(At(recordsOf, index), At(packetsOf, index), At(bytesOf, index)))),
        ];
    }

    /// <summary>The sum of a day; 0 where the view lacks the meter and its list is empty.</summary>
    private static ulong At(string[] items, int index) => index < items.Length ? Unsigned(items[index]) : 0;

    private static string[] Items(string text) => text.Length == 0 ? [] : text.Split(',');

    private static long Number(string text) => long.Parse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);

    private static ulong Unsigned(string text) => ulong.Parse(text, NumberStyles.None, CultureInfo.InvariantCulture);
}
