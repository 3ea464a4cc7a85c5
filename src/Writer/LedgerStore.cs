using System.Globalization;
using Weir.Core.Model;

namespace Weir.Writer;

/// <summary>Asks the ledger of a sink, and adds to it.</summary>
/// <remarks>Any thread.</remarks>
internal sealed class LedgerStore(IBlockSink sink, WriterOptions options)
{
    private static readonly string[] _columns = [.. LedgerTable.Columns.Select(column => column.Name)];

    private readonly string _table = $"{SqlText.Name(options.Database)}.{SqlText.Name(LedgerTable.Name)}";
    private volatile bool _isReplicated;

    /// <summary>Says whether the ledger is replicated: then a replica is brought up to date before it is asked.</summary>
    internal bool IsReplicated
    {
        get => _isReplicated;
        set => _isReplicated = value;
    }

    /// <summary>The blocks of a range that the ledger has: stored, or refused and accounted for.</summary>
    /// <returns>View and part of each; view '' of a cut without rows; empty when the ledger does not have the range.</returns>
    /// <exception cref="ClickHouseException">The server did not answer.</exception>
    internal async Task<HashSet<(string View, int Part)>> FindAsync(PartitionKey partition, long from, long to, CancellationToken cancel)
    {
        if (_isReplicated)
        {
            await CatchUpAsync(cancel).ConfigureAwait(false);
        }

        var rows = await sink.QueryRowsAsync(
            string.Create(
                CultureInfo.InvariantCulture,
                $"SELECT DISTINCT part, view FROM {_table} WHERE topic = {SqlText.Text(partition.Topic)} AND `partition` = {partition.Partition} AND from_offset = {from} AND to_offset = {to}"),
            cancel).ConfigureAwait(false);
        return [.. rows.Select(row => (row[1], int.Parse(row[0], CultureInfo.InvariantCulture)))];
    }

    /// <summary>Tries once to insert rows. All are one block: stored together or not at all.</summary>
    internal Task<InsertReply> InsertAsync(LedgerRows rows, CancellationToken cancel) =>
        sink.InsertRowsAsync(LedgerTable.Name, _columns, LedgerRows.Format, rows.Bytes, cancel);

    private async Task CatchUpAsync(CancellationToken cancel)
    {
        try
        {
            await sink.ExecuteAsync($"SYSTEM SYNC REPLICA {_table}", cancel).ConfigureAwait(false);
        }
        catch (ClickHouseException error) when (error.Reply.Cause == ReplyCause.Access)
        {
            // A user who may not is no reason to wait for ever; a replica is rarely behind by more than moments.
        }
    }
}
