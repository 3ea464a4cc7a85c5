using System.Collections.Frozen;
using System.Globalization;

namespace Weir.Writer;

/// <summary>What a ClickHouse has; asked for at every connect, because an unknown setting or type is an error on old servers.</summary>
/// <remarks>Immutable; any thread.</remarks>
public sealed record ServerFeatures
{
    private static readonly string[] _settingsOfInterest =
    [
        "async_insert", "insert_deduplicate", "insert_deduplication_token", "deduplicate_blocks_in_dependent_materialized_views",
        "allow_experimental_low_cardinality_type",
    ];

    /// <summary>The first version with TTL for MergeTree.</summary>
    private static readonly Version _ttlVersion = new(19, 6);

    /// <summary>The version as the server says it.</summary>
    public required string Version { get; init; }

    /// <summary>Has the type IPv6; otherwise addresses are FixedString(16).</summary>
    public required bool HasIpv6 { get; init; }

    /// <summary>Has SimpleAggregateFunction, without which only sums can be stored.</summary>
    public required bool HasSimpleAggregates { get; init; }

    /// <summary>Deletes old rows by itself; otherwise Weir drops old partitions.</summary>
    public required bool HasTtl { get; init; }

    /// <summary>Tables that are not replicated can remember the tokens of blocks.</summary>
    public required bool HasDeduplicationWindow { get; init; }

    /// <summary>Has the macros shard and replica and a ZooKeeper or Keeper: tables are made replicated.</summary>
    public required bool IsReplicated { get; init; }

    /// <summary>The user may not change settings, so none is sent with queries.</summary>
    public required bool IsReadOnlyUser { get; init; }

    /// <summary>Those settings that Weir sends and the server knows.</summary>
    public required FrozenSet<string> Settings { get; init; }

    /// <summary>Takes a deduplication token with each insert.</summary>
    public bool HasTokens => Settings.Contains("insert_deduplication_token");

    /// <summary>What the server can promise about blocks that are sent again, in words.</summary>
    public string Guarantee => this switch
    {
        { HasTokens: true } => "exactly once",
        { IsReplicated: true } => "exactly once, by the content of the last 100 blocks of each table",
        _ => "at least once, because this server has no deduplication tokens and its tables are not replicated",
    };

    /// <summary>Asks a server.</summary>
    /// <exception cref="ClickHouseException">A question was not answered.</exception>
    internal static async Task<ServerFeatures> ReadAsync(IBlockSink sink, CancellationToken cancel)
    {
        var version = (await sink.QueryTextAsync("SELECT version()", "TabSeparatedRaw", cancel).ConfigureAwait(false)).Trim();
        var names = string.Join(", ", _settingsOfInterest.Append("readonly").Select(SqlText.Text));
        var settings = await sink.QueryRowsAsync(
            $"SELECT name, value FROM system.settings WHERE name IN ({names})", cancel).ConfigureAwait(false);
        var types = await sink.QueryRowsAsync(
            "SELECT name FROM system.data_type_families WHERE name IN ('IPv6', 'SimpleAggregateFunction')", cancel).ConfigureAwait(false);
        var windows = await sink.QueryRowsAsync(
            "SELECT name FROM system.merge_tree_settings WHERE name = 'non_replicated_deduplication_window'", cancel).ConfigureAwait(false);
        return new ServerFeatures
        {
            Version = version,
            HasIpv6 = types.Exists(row => row[0] == "IPv6"),

            // Not in the list of families, because its name takes arguments of another kind, but as old as TTL.
            HasSimpleAggregates = types.Exists(row => row[0] == "SimpleAggregateFunction") || IsAtLeast(version, _ttlVersion),
            HasTtl = IsAtLeast(version, _ttlVersion),
            HasDeduplicationWindow = windows.Count > 0,
            IsReplicated = await IsReplicatedAsync(sink, cancel).ConfigureAwait(false),
            IsReadOnlyUser = settings.Exists(row => row[0] == "readonly" && row[1] != "0"),
            Settings = settings.Select(row => row[0]).Where(name => name != "readonly").ToFrozenSet(),
        };
    }

    private static async Task<bool> IsReplicatedAsync(IBlockSink sink, CancellationToken cancel)
    {
        var macros = await sink.QueryRowsAsync(
            "SELECT macro FROM system.macros WHERE macro IN ('shard', 'replica')", cancel).ConfigureAwait(false);
        if (macros.Count < 2)
        {
            return false;
        }

        try
        {
            await sink.QueryRowsAsync("SELECT count() FROM system.zookeeper WHERE path = '/'", cancel).ConfigureAwait(false);
            return true;
        }
        catch (ClickHouseException error) when (error.Reply.Code == ServerErrors.UnknownTable)
        {
            return false; // Macros, but no ZooKeeper: the table of its contents does not exist.
        }
    }

    private static bool IsAtLeast(string version, Version least)
    {
        var parts = version.Split('.');
        return parts.Length >= 2
            && int.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out var major)
            && int.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out var minor)
            && new Version(major, minor) >= least;
    }
}
