using System.Globalization;
using System.Numerics;

namespace Weir.Loadgen.Shadow;

/// <summary>Asks a store.</summary>
/// <param name="sql">A question.</param>
/// <returns>Rows as TSV.</returns>
public delegate Task<IReadOnlyList<string>> AskStore(string sql);

/// <summary>A view: its columns.</summary>
/// <param name="Name">Its table.</param>
/// <param name="Keys">Time and tags.</param>
/// <param name="Meters">Meters, each with the function that folds it.</param>
/// <param name="KeyTexts">The tags as text, in SQL.</param>
public sealed record ComparedView(
    string Name, IReadOnlyList<string> Keys, IReadOnlyList<(string Name, string Fold)> Meters, IReadOnlyList<string> KeyTexts);

/// <summary>A row that differs.</summary>
/// <param name="View">Its view.</param>
/// <param name="Window">Its time, seconds since the epoch.</param>
/// <param name="Key">Time and tags as text.</param>
/// <param name="A">Its meters in the first store; null when it is missing there.</param>
/// <param name="B">Its meters in the second store; null when it is missing there.</param>
/// <param name="Size">The sum of the absolute differences of its meters.</param>
public sealed record RowDifference(string View, long Window, string Key, string? A, string? B, BigInteger Size);

/// <summary>What was found in a view.</summary>
/// <param name="View">Its name.</param>
/// <param name="WindowCount">Windows of both stores.</param>
/// <param name="DifferentWindows">Windows that are not equal.</param>
/// <param name="EqualRowCount">Rows that are equal.</param>
/// <param name="MissingRowCount">Rows that the second store lacks.</param>
/// <param name="ExtraRowCount">Rows that only the second store has.</param>
/// <param name="DifferentRowCount">Rows with other meters.</param>
public sealed record ViewComparison(
    string View, long WindowCount, IReadOnlyList<long> DifferentWindows, long EqualRowCount, long MissingRowCount, long ExtraRowCount,
        long DifferentRowCount)
{
    /// <summary>True when nothing differs.</summary>
    public bool IsEqual => DifferentWindows.Count == 0 && MissingRowCount + ExtraRowCount + DifferentRowCount == 0;
}

/// <summary>Compares the views of two stores: windows by a hash of all their rows, then the rows of the windows that are not
/// equal.</summary>
public sealed class StoreComparer(AskStore a, AskStore b)
{
    private const int WindowsOfOneQuestion = 200;
    private const int DifferencesKept = 1_000;

    private readonly List<RowDifference> _differences = [];

    /// <summary>The largest differences, largest first.</summary>
    public IReadOnlyList<RowDifference> Differences =>
        [.. _differences.OrderByDescending(difference => difference.Size).ThenBy(difference => difference.Key, StringComparer.Ordinal).Take(
            DifferencesKept)];

    /// <summary>Compares the views that both stores have.</summary>
    /// <exception cref="InvalidDataException">The stores have other views, or none.</exception>
    public async Task<IReadOnlyList<ViewComparison>> CompareAsync()
    {
        var left = await ReadViewsAsync(a);
        var right = await ReadViewsAsync(b);
        var both = left.Where(view => right.Any(other => other.Name == view.Name)).ToList();
        var odd = left.Concat(right).Select(view => view.Name).Except(both.Select(view => view.Name)).ToList();
        if (both.Count == 0 || odd.Count > 0)
        {
            throw new InvalidDataException(
                odd.Count > 0 ? $"Only one of the stores has {string.Join(", ", odd)}." : "The stores have no views.");
        }

        foreach (var view in both)
        {
            var other = right.Single(candidate => candidate.Name == view.Name);
            if (!view.Keys.SequenceEqual(other.Keys) || !view.Meters.SequenceEqual(other.Meters))
            {
                throw new InvalidDataException($"{view.Name} has other columns in the two stores.");
            }
        }

        var comparisons = new List<ViewComparison>();
        foreach (var view in both)
        {
            comparisons.Add(await CompareAsync(view));
        }

        return comparisons;
    }

    /// <summary>The views of a store: tables whose rows have a time and a meter <c>records</c>.</summary>
    internal static async Task<IReadOnlyList<ComparedView>> ReadViewsAsync(AskStore ask)
    {
        var rows = await ask(
            "SELECT table, name, type, is_in_sorting_key FROM system.columns WHERE database = currentDatabase() AND name != 'weir_block' "
            + "AND table IN (SELECT table FROM system.columns WHERE database = currentDatabase() AND name = 'records' AND is_in_sorting_key = 0) "
            + "AND table IN (SELECT table FROM system.columns WHERE database = currentDatabase() AND name = 'time' AND is_in_sorting_key = 1) ORDER BY table, name");
        return [.. rows.Select(row => row.Split('\t')).GroupBy(row => row[0]).Select(table => new ComparedView(
            table.Key,
            [.. table.Where(column => column[3] == "1" && column[1] != "time").Select(column => column[1])],
            [.. table.Where(column => column[3] == "0" && column[2].Contains("UInt64", StringComparison.Ordinal)).Select(
                column => (column[1], FoldOf(column[2])))],
            [.. table.Where(column => column[3] == "1" && column[1] != "time").Select(
                column => column[2] == "FixedString(16)" ? $"IPv6NumToString({column[1]})" : $"toString({column[1]})")]))];
    }

    private static string FoldOf(string type) =>
        type.Contains("(max", StringComparison.Ordinal) ? "max" : type.Contains("(min", StringComparison.Ordinal) ? "min" : "sum";

    private async Task<ViewComparison> CompareAsync(ComparedView view)
    {
        var keys = string.Join(", ", view.Keys.Prepend("time"));
        var folds = string.Join(", ", view.Meters.Select(meter => $"{meter.Fold}({meter.Name})"));
        var sql = $"SELECT toUInt32(time), count(), sum(h) FROM (SELECT {keys}, cityHash64({keys}, {folds}) AS h FROM {view.Name} GROUP BY {keys}) GROUP BY time";
        var left = ReadWindows(await a(sql));
        var right = ReadWindows(await b(sql));
        var windows = left.Keys.Union(right.Keys).Order().ToList();
        var different = windows.Where(window => left.GetValueOrDefault(window) != right.GetValueOrDefault(window)).ToList();
        long equal = windows.Except(different).Sum(window => left[window].RowCount);
        long missing = 0;
        long extra = 0;
        long changed = 0;
        foreach (var some in different.Chunk(WindowsOfOneQuestion))
        {
            var rows = $"SELECT toUInt32(time), {string.Join(", ", view.KeyTexts.DefaultIfEmpty("''"))}, {folds} FROM {view.Name} "
                + $"WHERE toUInt32(time) IN ({string.Join(", ", some)}) GROUP BY {keys}";
            var keyCount = Math.Max(view.Keys.Count, 1) + 1;
            var before = ReadRows(await a(rows), keyCount);
            var after = ReadRows(await b(rows), keyCount);
            foreach (var key in before.Keys.Union(after.Keys))
            {
                var one = before.GetValueOrDefault(key);
                var two = after.GetValueOrDefault(key);
                if (one == two)
                {
                    equal++;
                    continue;
                }

                missing += two is null ? 1 : 0;
                extra += one is null ? 1 : 0;
                changed += one is not null && two is not null ? 1 : 0;
                Keep(new RowDifference(
                    view.Name, long.Parse(key.Split('\t')[0], CultureInfo.InvariantCulture), key, one, two, SizeOf(one, two)));
            }
        }

        return new ViewComparison(view.Name, windows.Count, different, equal, missing, extra, changed);
    }

    private void Keep(RowDifference difference)
    {
        _differences.Add(difference);
        if (_differences.Count > 4 * DifferencesKept)
        {
            var largest = Differences.ToList();
            _differences.Clear();
            _differences.AddRange(largest);
        }
    }

    private static Dictionary<long, (long RowCount, string Hash)> ReadWindows(IReadOnlyList<string> rows) =>
        rows.Select(row => row.Split('\t')).ToDictionary(
        row => long.Parse(row[0], CultureInfo.InvariantCulture), row => (long.Parse(row[1], CultureInfo.InvariantCulture), row[2]));

    private static Dictionary<string, string> ReadRows(IReadOnlyList<string> rows, int keyCount)
    {
        var result = new Dictionary<string, string>(rows.Count);
        foreach (var row in rows)
        {
            var end = -1;
            for (var key = 0; key < keyCount; key++)
            {
                end = row.IndexOf('\t', end + 1);
            }

            result.Add(row[..end], row[(end + 1)..]);
        }

        return result;
    }

    private static BigInteger SizeOf(string? one, string? two)
    {
        var left = one?.Split('\t');
        var right = two?.Split('\t');
        var size = BigInteger.Zero;
        for (var meter = 0; meter < (left ?? right)!.Length; meter++)
        {
            size += BigInteger.Abs(Number(left, meter) - Number(right, meter));
        }

        return size;
    }

    private static BigInteger Number(string[]? row, int meter) =>
        row is null ? BigInteger.Zero : BigInteger.Parse(row[meter], CultureInfo.InvariantCulture);
}
