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

    /// <summary>What the macro <c>shard</c> stands for; null where there is none.</summary>
    public string? ShardMacro { get; init; }

    /// <summary>The user may not change settings, so none is sent with queries.</summary>
    public required bool IsReadOnlyUser { get; init; }

    /// <summary>Those settings that Weir sends and the server knows.</summary>
    public required FrozenSet<string> Settings { get; init; }

    /// <summary>Settings of tables that matter to Weir and that the server knows, with the server's own defaults.</summary>
    public FrozenDictionary<string, string> TableSettings { get; init; } = FrozenDictionary<string, string>.Empty;

    /// <summary>Takes a deduplication token with each insert.</summary>
    public bool HasTokens => Settings.Contains("insert_deduplication_token");

    /// <summary>
    /// Replicated tables recognise a block by its content only, so each row carries the name of its block: else two blocks of
    /// different ranges that happen to be equal would count as one, and the second would vanish.
    /// </summary>
    public bool NeedsBlockColumn => IsReplicated && !HasTokens;

    /// <summary>Tables can be told to fsync.</summary>
    public bool HasFsync => TableSettings.ContainsKey(TableOptions.FsyncAfterInsert);

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
        var macros = (await sink.QueryRowsAsync(
                "SELECT macro, substitution FROM system.macros WHERE macro IN ('shard', 'replica')", cancel).ConfigureAwait(false))
            .ToDictionary(row => row[0], row => row[1]);
        var isReplicated = macros.Count == 2 && await HasKeeperAsync(sink, cancel).ConfigureAwait(false);
        var tableSettings = await ReadTableSettingsAsync(sink, isReplicated, cancel).ConfigureAwait(false);
        return new ServerFeatures
        {
            Version = version,
            HasIpv6 = types.Exists(row => row[0] == "IPv6"),

            // Not in the list of families, because its name takes arguments of another kind, but as old as TTL.
            HasSimpleAggregates = types.Exists(row => row[0] == "SimpleAggregateFunction") || IsAtLeast(version, _ttlVersion),
            HasTtl = IsAtLeast(version, _ttlVersion),
            HasDeduplicationWindow = tableSettings.ContainsKey(TableOptions.PlainWindow),
            IsReplicated = isReplicated,
            ShardMacro = macros.GetValueOrDefault("shard"),
            TableSettings = tableSettings,
            IsReadOnlyUser = settings.Exists(row => row[0] == "readonly" && row[1] != "0"),
            Settings = settings.Select(row => row[0]).Where(name => name != "readonly").ToFrozenSet(),
        };
    }

    private static async Task<FrozenDictionary<string, string>> ReadTableSettingsAsync(
        IBlockSink sink, bool isReplicated, CancellationToken cancel)
    {
        var names = string.Join(", ", TableOptions.Names.Select(SqlText.Text));
        var settings = (await sink.QueryRowsAsync(
                $"SELECT name, value FROM system.merge_tree_settings WHERE name IN ({names})", cancel).ConfigureAwait(false))
            .ToDictionary(row => row[0], row => row[1]);
        var hasOwn = isReplicated && await sink.QueryTextAsync(
            "SELECT count() FROM system.tables WHERE database = 'system' AND name = 'replicated_merge_tree_settings'",
            "TSV",
            cancel).ConfigureAwait(false) == "1\n";
        if (hasOwn)
        {
            // New servers may have other defaults for replicated tables.
            foreach (var row in await sink.QueryRowsAsync(
                $"SELECT name, value FROM system.replicated_merge_tree_settings WHERE name IN ({names})", cancel).ConfigureAwait(false))
            {
                settings[row[0]] = row[1];
            }
        }

        return settings.ToFrozenDictionary();
    }

    private static async Task<bool> HasKeeperAsync(IBlockSink sink, CancellationToken cancel)
    {
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
