using System.Globalization;

namespace Weir.Writer;

/// <summary>What a set of tables on one server can promise about a block that is sent again.</summary>
/// <remarks>
/// Found from the server's version and from the settings that the tables have, not from what they should have. Immutable.
/// </remarks>
/// <param name="IsExactlyOnce">True when a block that is sent again is stored once.</param>
/// <param name="Reason">By what, or why not, in words that follow "exactly once," or "at least once, because".</param>
public sealed record SinkPromise(bool IsExactlyOnce, string Reason)
{
    /// <summary>Blocks of a table that are remembered, the least of all tables; 0 when none is.</summary>
    public long WindowBlocks { get; init; }

    /// <summary>How long a block is remembered, the least of all tables; null when only their number is limited.</summary>
    public TimeSpan? Window { get; init; }

    /// <summary>The promise as one line.</summary>
    public override string ToString() => IsExactlyOnce ? $"exactly once, {Reason}" : $"at least once, because {Reason}";

    /// <summary>The promise of several shards together: the weakest.</summary>
    public static SinkPromise WeakestOf(IEnumerable<SinkPromise> promises) => promises
        .OrderBy(promise => promise.IsExactlyOnce)
        .ThenBy(promise => promise.Window ?? TimeSpan.MaxValue)
        .ThenBy(promise => promise.WindowBlocks)
        .First();

    /// <summary>Finds the promise of tables.</summary>
    /// <param name="features">The server.</param>
    /// <param name="tables">Name, engine and definition of each table as it will be when the stage starts.</param>
    internal static SinkPromise Find(ServerFeatures features, IEnumerable<(string Name, bool IsReplicated, string Definition)> tables)
    {
        var (blocks, seconds, isReplicated) = (long.MaxValue, long.MaxValue, true);
        foreach (var (name, isTableReplicated, definition) in tables)
        {
            if (!isTableReplicated && !features.HasTokens)
            {
                return new SinkPromise(
                    false, $"ClickHouse {features.Version} has no deduplication tokens and its table {name} is not replicated");
            }

            var setting = isTableReplicated ? TableOptions.ReplicatedWindow : TableOptions.PlainWindow;
            var window = Number(TableOptions.Find(definition, setting, features));
            if (window == 0)
            {
                return new SinkPromise(false, $"its table {name} remembers no blocks ({setting} is 0)");
            }

            blocks = Math.Min(blocks, window);
            isReplicated &= isTableReplicated;
            if (isTableReplicated && Number(TableOptions.Find(definition, TableOptions.ReplicatedWindowSeconds, features)) is > 0 and var limit)
            {
                seconds = Math.Min(seconds, limit);
            }
        }

        TimeSpan? age = seconds == long.MaxValue ? null : TimeSpan.FromSeconds(seconds);
        var by = isReplicated && !features.HasTokens ? "by the content" : "by the names";
        var reason = string.Create(CultureInfo.InvariantCulture, $"{by} of the last {blocks} blocks of each table");
        return new SinkPromise(true, age is { } limited ? $"{reason} within {Words(limited)}" : reason)
        {
            WindowBlocks = blocks,
            Window = age,
        };
    }

    private static long Number(string? text) =>
        long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var value) ? value : 0;

    private static string Words(TimeSpan time) => time.TotalHours switch
    {
        >= 48 => string.Create(CultureInfo.InvariantCulture, $"{time.TotalDays:0.#} days"),
        >= 2 => string.Create(CultureInfo.InvariantCulture, $"{time.TotalHours:0.#} hours"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{time.TotalMinutes:0.#} minutes"),
    };
}
