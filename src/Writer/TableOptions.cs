using System.Globalization;
using System.Text.RegularExpressions;

namespace Weir.Writer;

/// <summary>The settings of tables that Weir sets or depends on: for how long blocks are remembered, and fsync.</summary>
/// <remarks>Pure; any thread.</remarks>
internal static partial class TableOptions
{
    /// <summary>Blocks that a table that is not replicated remembers; 0, the default, is none.</summary>
    internal const string PlainWindow = "non_replicated_deduplication_window";

    /// <summary>Blocks that a replicated table remembers.</summary>
    internal const string ReplicatedWindow = "replicated_deduplication_window";

    /// <summary>How long a replicated table remembers a block: 7 days on old servers, an hour on new ones.</summary>
    internal const string ReplicatedWindowSeconds = "replicated_deduplication_window_seconds";

    /// <summary>fsync of a new part's files.</summary>
    internal const string FsyncAfterInsert = "fsync_after_insert";

    /// <summary>
    /// Blocks whose names a table remembers. The default of replicated ones on new servers; at four blocks a second more than
    /// half an hour of retries.
    /// </summary>
    internal const int WindowBlocks = 10_000;

    /// <summary>How long a replicated table that Weir makes remembers blocks: the old servers' 7 days, a long weekend's outage.</summary>
    internal const int WindowSeconds = 7 * 86_400;

    /// <summary>All settings whose defaults are asked for.</summary>
    internal static readonly string[] Names =
        [PlainWindow, ReplicatedWindow, ReplicatedWindowSeconds, FsyncAfterInsert, "fsync_part_directory", "min_rows_to_fsync_after_merge"];

    /// <summary>The settings that make a table durable, each 1.</summary>
    internal static readonly string[] Fsync = [FsyncAfterInsert, "fsync_part_directory", "min_rows_to_fsync_after_merge"];

    /// <summary>The settings that a table of Weir's should have on a server, whether it holds sums or the ledger.</summary>
    /// <param name="options">Says whether to fsync.</param>
    /// <param name="features">What the server has.</param>
    /// <param name="isReplicated">True for a replicated table.</param>
    internal static IEnumerable<(string Name, string Value)> Wanted(WriterOptions options, ServerFeatures features, bool isReplicated)
    {
        if (!isReplicated && features.HasDeduplicationWindow)
        {
            yield return (PlainWindow, Text(WindowBlocks));
        }

        if (isReplicated && features.TableSettings.ContainsKey(ReplicatedWindow))
        {
            yield return (ReplicatedWindow, Text(WindowBlocks));
            yield return (ReplicatedWindowSeconds, Text(WindowSeconds));
        }

        if (options.Fsync && features.HasFsync)
        {
            foreach (var name in Fsync.Where(features.TableSettings.ContainsKey))
            {
                yield return (name, "1");
            }
        }
    }

    /// <summary>The value that a table has of a setting: its own, or the server's.</summary>
    /// <param name="definition">What follows ENGINE in the table's CREATE statement.</param>
    /// <param name="setting">The setting.</param>
    /// <param name="features">Has the server's defaults.</param>
    /// <returns>Null for a setting that the server does not know.</returns>
    internal static string? Find(string definition, string setting, ServerFeatures features)
    {
        var own = OwnValue(definition, setting);
        return own ?? features.TableSettings.GetValueOrDefault(setting);
    }

    /// <summary>The value that the table's definition names for a setting; null when it names none.</summary>
    internal static string? OwnValue(string definition, string setting)
    {
        var start = definition.IndexOf(" SETTINGS ", StringComparison.Ordinal);
        if (start < 0)
        {
            return null;
        }

        foreach (Match match in Assignment().Matches(definition[start..]))
        {
            if (match.Groups[1].Value == setting)
            {
                return match.Groups[2].Value;
            }
        }

        return null;
    }

    /// <summary>True for the engine of a table that all replicas share, one way or another.</summary>
    internal static bool IsReplicated(string engine) =>
        engine.StartsWith("Replicated", StringComparison.Ordinal) || engine.StartsWith("Shared", StringComparison.Ordinal);

    /// <summary>The statements between the settings of an existing table and those that it should have.</summary>
    /// <remarks>
    /// What the operator has set otherwise is left alone, but for fsync, which the configuration decides. Servers before
    /// <c>MODIFY SETTING</c> keep what they have.
    /// </remarks>
    internal static IEnumerable<SchemaStep> Compare(
        string name, string qualifiedName, TableState state, WriterOptions options, ServerFeatures features)
    {
        foreach (var (setting, value) in Wanted(options, features, IsReplicated(state.Engine)))
        {
            var own = OwnValue(state.Definition, setting);
            var isFsync = Fsync.Contains(setting);
            if (!features.HasTokens || own == value || (own is not null && !isFsync) || Covers(features, setting, value))
            {
                continue;
            }

            var reason = isFsync
                ? $"{name} does not bring blocks to the disk before it acknowledges them (clickhouse.fsync)."
                : $"{name} does not remember the names of its last blocks for long, so a block sent again could count twice.";
            yield return new SchemaStep(
                SchemaStepKind.Tune, reason, $"ALTER TABLE {qualifiedName} MODIFY SETTING {setting} = {value}");
        }
    }

    /// <summary>True when the server's default is as good as what is wanted.</summary>
    private static bool Covers(ServerFeatures features, string setting, string value) =>
        ulong.TryParse(features.TableSettings.GetValueOrDefault(setting), NumberStyles.None, CultureInfo.InvariantCulture, out var found)
        && found >= ulong.Parse(value, CultureInfo.InvariantCulture);

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);

    [GeneratedRegex(@"\b([a-z_]+) = '?([^,' ]+)", RegexOptions.CultureInvariant)]
    private static partial Regex Assignment();
}
