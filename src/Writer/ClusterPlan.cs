using System.Globalization;

namespace Weir.Writer;

/// <summary>The tables of a whole ClickHouse cluster: the same local tables on every node, and one Distributed table for each to read from.</summary>
/// <remarks>
/// <para>
/// Weir writes to local tables only; nothing goes through a Distributed table, whose spool would break the names of blocks. A
/// Distributed table holds no rows, so one that differs is made anew.
/// </para>
/// <para>Immutable; any thread.</para>
/// </remarks>
public sealed class ClusterPlan
{
    /// <summary>What the name of a table is followed by in the name of the Distributed table over it.</summary>
    public const string Suffix = "_all";

    private readonly string _cluster;
    private readonly WriterOptions _options;
    private readonly List<SchemaStep> _steps = [];
    private readonly List<string> _problems = [];

    private ClusterPlan(string cluster, WriterOptions options)
    {
        _cluster = cluster;
        _options = options;
    }

    /// <summary>The statements, in order; each runs on all nodes, and may run again.</summary>
    public IReadOnlyList<SchemaStep> Steps => _steps;

    /// <summary>What no statement mends.</summary>
    public IReadOnlyList<string> Problems => _problems;

    /// <summary>Compares the nodes of a cluster with what the views need.</summary>
    /// <param name="sink">Any node.</param>
    /// <param name="plan">The plan of that node.</param>
    /// <param name="options">Database.</param>
    /// <param name="features">What the node has.</param>
    /// <param name="cluster">Name of the cluster in the nodes' remote_servers.</param>
    /// <param name="cancel">Ends the questions.</param>
    /// <exception cref="ClickHouseException">The server did not answer.</exception>
    public static async Task<ClusterPlan> ReadAsync(
        IBlockSink sink, SchemaPlan plan, WriterOptions options, ServerFeatures features, string cluster, CancellationToken cancel)
    {
        var result = new ClusterPlan(cluster, options);
        var nodes = await sink.QueryRowsAsync(
            $"SELECT shard_num, count() FROM system.clusters WHERE cluster = {SqlText.Text(cluster)} GROUP BY shard_num", cancel).ConfigureAwait(false);
        if (nodes.Count == 0)
        {
            var known = await sink.QueryRowsAsync("SELECT DISTINCT cluster FROM system.clusters", cancel).ConfigureAwait(false);
            result._problems.Add($"the server knows no cluster {cluster} (remote_servers); it knows {Words(known.Select(row => row[0]))}");
            return result;
        }

        if (!features.IsReplicated && nodes.Exists(node => node[1] != "1"))
        {
            result._problems.Add($"a shard of {cluster} has several replicas, but the tables would not be replicated: give the servers the macros "
                + "shard and replica, and a ZooKeeper or Keeper");
        }

        result._problems.AddRange(plan.Problems);
        const string LowCardinality = "allow_experimental_low_cardinality_type";
        if (features.Settings.Contains(LowCardinality)
            && await sink.QueryTextAsync($"SELECT value FROM system.settings WHERE name = '{LowCardinality}'", "TSV", cancel).ConfigureAwait(false) != "1\n")
        {
            result._problems.Add($"the nodes run statements for a cluster with the settings of their own default profile; set {LowCardinality} to 1 there");
        }

        var counts = (await sink.QueryRowsAsync(
                $"SELECT name, count() FROM cluster({SqlText.Text(cluster)}, system, tables) WHERE database = {SqlText.Text(options.Database)} GROUP BY name",
                cancel).ConfigureAwait(false))
            .ToDictionary(row => row[0], row => int.Parse(row[1], CultureInfo.InvariantCulture));
        var own = await TableState.ReadAllAsync(sink, options.Database, cancel).ConfigureAwait(false);
        result.AddLocal(plan, features, counts, nodes.Count, own is not null);
        result.AddDistributed(plan, counts, nodes.Count, own ?? new Dictionary<string, TableState>());
        return result;
    }

    private void AddLocal(SchemaPlan plan, ServerFeatures features, Dictionary<string, int> counts, int shardCount, bool hasDatabase)
    {
        var tables = plan.Tables.Select(table => (table.View.Name, Statement: table.CreateStatement()))
            .Append((Name: LedgerTable.Name, Statement: plan.Ledger.CreateStatement()))
            .Append((Name: SchemaMigrations.Table, Statement: SchemaMigrations.CreateStatement(_options, features)))
            .ToList();
        var missing = tables.FindAll(table => counts.GetValueOrDefault(table.Name) < shardCount);
        if (!hasDatabase || missing.Count > 0)
        {
            Add($"Not every shard of {_cluster} has the database {_options.Database}.", $"CREATE DATABASE IF NOT EXISTS {SqlText.Name(_options.Database)}");
        }

        foreach (var (name, statement) in missing)
        {
            Add($"{counts.GetValueOrDefault(name)} of {shardCount} shards have the table {name}.", statement);
        }

        foreach (var step in plan.Steps.Where(step => step.Kind is SchemaStepKind.Tune or SchemaStepKind.Change))
        {
            Add(step.Reason, step.Statement, step.Kind);
        }

        // This shard's own; the others note theirs when a weir first writes there.
        _steps.AddRange(plan.Steps.Where(step => step.Kind == SchemaStepKind.Note));
    }

    private void AddDistributed(SchemaPlan plan, Dictionary<string, int> counts, int shardCount, IReadOnlyDictionary<string, TableState> own)
    {
        var database = SqlText.Name(_options.Database);
        var local = plan.Tables.Select(table => (table.View.Name, table.Columns)).Append((LedgerTable.Name, Columns: LedgerTable.Columns)).ToList();
        foreach (var (name, columns) in local)
        {
            var all = name + Suffix;
            if (local.Exists(other => other.Name == all))
            {
                _problems.Add($"the view {all} has the name of the Distributed table over {name}; give one of them another name");
                continue;
            }

            own.TryGetValue(all, out var state);
            var isSame = state is null || columns.All(column => state.Columns.Any(found => found.Name == column.Name && found.Type == column.Type));
            if (state is not null && (!isSame || state.Engine != "Distributed"))
            {
                if (state.Engine != "Distributed")
                {
                    _problems.Add($"{all} is a {state.Engine} and must be Distributed; rename it (RENAME TABLE {database}.{SqlText.Name(all)} TO …)");
                    continue;
                }

                Add($"{all} has not all columns of {name}; it holds no rows and is made anew.", $"DROP TABLE IF EXISTS {database}.{SqlText.Name(all)}");
            }

            if (!isSame || counts.GetValueOrDefault(all) < shardCount)
            {
                Add(
                    $"{(isSame ? counts.GetValueOrDefault(all) : 0)} of {shardCount} shards have {all}, which reads {name} on all of them.",
                    $"CREATE TABLE IF NOT EXISTS {database}.{SqlText.Name(all)}\nAS {database}.{SqlText.Name(name)}\n"
                    + $"ENGINE = Distributed({SqlText.Name(_cluster)}, {database}, {SqlText.Name(name)})");
            }
        }
    }

    private void Add(string reason, string statement, SchemaStepKind kind = SchemaStepKind.Create) =>
        _steps.Add(new SchemaStep(kind, reason, OnCluster(statement, _cluster)));

    /// <summary>A statement of Weir's as one for all nodes: the clause follows the first quoted name, with its database.</summary>
    internal static string OnCluster(string statement, string cluster)
    {
        var end = EndOfName(statement, statement.IndexOf('`', StringComparison.Ordinal));
        if (end < statement.Length && statement[end] == '.')
        {
            end = EndOfName(statement, end + 1);
        }

        return $"{statement[..end]} ON CLUSTER {SqlText.Name(cluster)}{statement[end..]}";
    }

    private static int EndOfName(string statement, int start)
    {
        var index = start + 1;
        while (statement[index] != '`')
        {
            index += statement[index] == '\\' ? 2 : 1;
        }

        return index + 1;
    }

    private static string Words(IEnumerable<string> names) => string.Join(", ", names.DefaultIfEmpty("none"));
}
