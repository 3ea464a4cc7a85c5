using Weir.Core.Model;
using Weir.Host.Audit;

namespace Weir.Tests.Host;

/// <summary>A random ledger that adds up, with tables and positions that agree with it; tests damage it.</summary>
internal sealed class AuditBed
{
    public const int Today = 20_700; // 2026-09-04

    public static readonly IReadOnlyList<AuditView> Views =
    [
        new("edge_1m", HasPackets: true, HasBytes: true, Retention: null),
        new("ports_1s", HasPackets: false, HasBytes: true, Retention: null),
        new("service_1m", HasPackets: true, HasBytes: true, TimeSpan.FromDays(30)),
    ];

    private readonly Random _random;

    public AuditBed(int seed)
    {
        _random = new Random(seed);
        for (var partition = 0; partition < 1 + _random.Next(3); partition++)
        {
            AddPartition(new PartitionKey("flows", partition));
        }

        Tables = SumTables(Rows);
    }

    public List<LedgerRow> Rows { get; } = [];

    public Dictionary<string, IReadOnlyDictionary<int, MeterSums>> Tables { get; set; }

    public Dictionary<PartitionKey, GroupPosition> Positions { get; } = [];

    public Dictionary<string, uint> ViewsSince { get; } = Views.ToDictionary(view => view.Name, _ => 1_000u);

    /// <summary>The cuts that have neighbours on both sides in their partition and folded something.</summary>
    public List<LedgerRow> InnerCuts => [.. Rows
        .GroupBy(row => (row.Partition, row.FromOffset, row.ToOffset))
        .Select(group => group.First())
        .GroupBy(cut => cut.Partition)
        .SelectMany(cuts => cuts.OrderBy(cut => cut.FromOffset).Skip(1).SkipLast(1))
        .Where(cut => cut.Account.FoldedCount > 0)];

    public T Pick<T>(IReadOnlyList<T> items) => items[_random.Next(items.Count)];

    public AuditReport Audit(DateTimeOffset? now = null, string? topic = null) => LedgerAuditor.Audit(Rows, Tables, new AuditScope
    {
        Views = Views,
        Positions = Positions,
        ViewsSince = ViewsSince,
        Topic = topic,
        Now = now ?? DateTimeOffset.UnixEpoch.AddDays(Today + 1),
    });

    public List<LedgerRow> RowsOf(LedgerRow cut) => Rows.FindAll(row => row.IsOfCutOf(cut));

    /// <summary>Changes each row of a cut.</summary>
    public void Change(LedgerRow cut, Func<LedgerRow, LedgerRow> change)
    {
        for (var index = 0; index < Rows.Count; index++)
        {
            if (Rows[index].IsOfCutOf(cut))
            {
                Rows[index] = change(Rows[index]);
            }
        }
    }

    /// <summary>Adds to what a view's table holds of a day.</summary>
    public void AddToTable(string view, int day, ulong records)
    {
        var days = Tables[view].ToDictionary();
        days[day] = days.GetValueOrDefault(day) + new MeterSums(records, 0, 0);
        Tables[view] = days;
    }

    public static Dictionary<string, IReadOnlyDictionary<int, MeterSums>> SumTables(IEnumerable<LedgerRow> rows) => rows
        .Where(row => row.View.Length > 0)
        .GroupBy(row => row.View)
        .ToDictionary(
            group => group.Key,
            group => (IReadOnlyDictionary<int, MeterSums>)group
                .SelectMany(row => row.Days)
                .GroupBy(day => day.Day)
                .ToDictionary(days => days.Key, days => days.Aggregate(default(MeterSums), (sum, day) => sum + day.Sums)));

    /// <summary>The rows of one cut.</summary>
    public IEnumerable<LedgerRow> Cut(PartitionKey partition, long from, long to, long folded, long late = 0)
    {
        var (rejected, gaps) = (_random.Next(3), _random.Next(2));
        var row = new LedgerRow
        {
            Partition = partition,
            FromOffset = from,
            ToOffset = to,
            View = "",
            Account = new BlockAccount(folded + late + rejected, folded, rejected, late, 0, 0),
            Reasons = rejected == 0 ? [] : [new ReasonCount("malformed", rejected)],
            GapOffsetCount = gaps,
            FirstEvent = folded == 0 ? 0 : (uint)Today * 86_400,
            LastEvent = folded == 0 ? 0 : ((uint)Today * 86_400) + 59,
            StoredAt = 1_000,
            Version = 1,
        };
        if (folded == 0)
        {
            return [row];
        }

        var (packets, bytes) = ((ulong)_random.Next(1_000_000), ulong.MaxValue - (ulong)_random.Next(1_000));
        return Views.SelectMany(view => Blocks(
            row with { View = view.Name }, new MeterSums((ulong)folded, view.HasPackets ? packets : 0, bytes)));
    }

    private void AddPartition(PartitionKey partition)
    {
        var start = _random.Next(100);
        var offset = (long)start;
        for (var cut = 0; cut < 4 + _random.Next(5); cut++)
        {
            var next = offset + 2 + _random.Next(100);
            var isEmpty = cut % 4 == 3;
            Rows.AddRange(Cut(partition, offset, next, isEmpty ? 0 : 10 + _random.Next(1_000), _random.Next(3)));
            offset = next;
        }

        Positions[partition] = new GroupPosition(offset, null, start);
    }

    /// <summary>One or two parts, each over one or two days.</summary>
    private IEnumerable<LedgerRow> Blocks(LedgerRow row, MeterSums sums)
    {
        var first = new MeterSums((ulong)_random.Next((int)sums.Records), sums.Packets / 3, sums.Bytes / 2);
        var rest = unchecked(new MeterSums(sums.Records - first.Records, sums.Packets - first.Packets, sums.Bytes - first.Bytes));
        if (_random.Next(2) == 0)
        {
            yield return row with { Sums = sums, Days = [new DaySums(Today - 1, first), new DaySums(Today, rest)] };
        }
        else
        {
            yield return row with { Sums = first, Days = [new DaySums(Today - 1, first)] };
            yield return row with { Part = 1, Sums = rest, Days = [new DaySums(Today, rest)] };
        }
    }
}
