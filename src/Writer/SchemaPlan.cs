using System.Globalization;
using System.Text;
using Weir.Core.Model;

namespace Weir.Writer;

/// <summary>What a step of a plan does, and so who decides on it.</summary>
public enum SchemaStepKind
{
    /// <summary>Makes a database or table that is absent. Done at every start.</summary>
    Create,

    /// <summary>Brings retention or a table's settings to what the configuration says. Done at every start.</summary>
    Tune,

    /// <summary>Changes the columns of a table that has rows. Done by <c>weir schema apply</c> only.</summary>
    Change,

    /// <summary>Writes down that a migration has run. Done at every start.</summary>
    Note,
}

/// <summary>One statement between what is and what should be.</summary>
/// <param name="Kind">What it does.</param>
/// <param name="Reason">Why, in words.</param>
/// <param name="Statement">The SQL.</param>
public sealed record SchemaStep(SchemaStepKind Kind, string Reason, string Statement);

/// <summary>The tables of the views: what they are, what they should be, and the statements between.</summary>
/// <remarks>Immutable; any thread.</remarks>
public sealed class SchemaPlan
{
    private static readonly string[] _engines = ["SummingMergeTree", "ReplicatedSummingMergeTree", "SharedSummingMergeTree"];

    private readonly WriterOptions _options;
    private readonly ServerFeatures _features;
    private readonly List<SchemaStep> _steps = [];
    private readonly List<string> _problems = [];

    private SchemaPlan(StreamSchema schema, WriterOptions options, ServerFeatures features)
    {
        _options = options;
        _features = features;
        Tables = [.. schema.Views.Select(view => new TableDesign(view.Definition, options, features))];
        Ledger = new LedgerTable(options, features);
    }

    /// <summary>The tables as they should be, in the order of the schema's views.</summary>
    public IReadOnlyList<TableDesign> Tables { get; }

    /// <summary>The ledger as it should be.</summary>
    public LedgerTable Ledger { get; }

    /// <summary>True when the ledger is, or will be, shared by replicas.</summary>
    public bool IsLedgerReplicated { get; private set; }

    /// <summary>What these tables promise about a block that is sent again, once the steps of a start have run.</summary>
    public SinkPromise Promise { get; private set; } = new(false, "there are no tables");

    /// <summary>The statements, in order.</summary>
    public IReadOnlyList<SchemaStep> Steps => _steps;

    /// <summary>Differences that no statement of Weir's can mend, each with the reason and what to do.</summary>
    public IReadOnlyList<string> Problems => _problems;

    /// <summary>True when nothing differs.</summary>
    public bool IsUpToDate => _steps.Count == 0 && _problems.Count == 0;

    /// <summary>True when <see cref="EnsureAsync"/> makes it all right without a person's decision.</summary>
    public bool IsUsable => _problems.Count == 0 && _steps.TrueForAll(step => step.Kind != SchemaStepKind.Change);

    /// <summary>Reads the tables of a server and compares.</summary>
    /// <exception cref="ClickHouseException">The server did not answer.</exception>
    public static async Task<SchemaPlan> ReadAsync(
        IBlockSink sink, StreamSchema schema, WriterOptions options, ServerFeatures features, CancellationToken cancel)
    {
        var existing = await TableState.ReadAllAsync(sink, options.Database, cancel).ConfigureAwait(false);
        var applied = existing is not null && existing.ContainsKey(SchemaMigrations.Table)
            ? await SchemaMigrations.ReadAsync(sink, options, cancel).ConfigureAwait(false)
            : [];
        return Make(schema, options, features, existing, applied);
    }

    /// <summary>Compares.</summary>
    /// <param name="schema">The views.</param>
    /// <param name="options">Database and retention.</param>
    /// <param name="features">What the server has.</param>
    /// <param name="existing">The tables by name; null when there is no database.</param>
    /// <param name="applied">The migrations that the database has noted; null to leave migrations out.</param>
    public static SchemaPlan Make(
        StreamSchema schema,
        WriterOptions options,
        ServerFeatures features,
        IReadOnlyDictionary<string, TableState>? existing,
        IReadOnlyList<AppliedMigration>? applied = null)
    {
        var plan = new SchemaPlan(schema, options, features);
        if (existing is null)
        {
            var statement = $"CREATE DATABASE IF NOT EXISTS {SqlText.Name(options.Database)}";
            plan._steps.Add(new SchemaStep(SchemaStepKind.Create, $"There is no database {options.Database}.", statement));
        }

        existing ??= new Dictionary<string, TableState>();
        var compareFrom = plan._steps.Count;
        foreach (var table in plan.Tables)
        {
            plan.Compare(table, existing.GetValueOrDefault(table.View.Name));
        }

        plan.CompareLedger(existing.GetValueOrDefault(LedgerTable.Name));
        plan.CheckServers(existing);
        if (applied is not null)
        {
            plan.AddMigrations(existing, applied, compareFrom);
        }

        plan.Promise = SinkPromise.Find(features, plan.Tables.Select(table => plan.Prospect(table, existing)));
        return plan;
    }

    /// <summary>Runs all statements.</summary>
    /// <exception cref="SinkUnusableException">There are problems; nothing was run.</exception>
    /// <exception cref="ClickHouseException">A statement failed; those before it were run, and a new plan begins after them.</exception>
    public Task ApplyAsync(IBlockSink sink, CancellationToken cancel) => RunAsync(sink, _problems.Count == 0, cancel);

    /// <summary>Makes what is absent and brings retention up to date: what a start does.</summary>
    /// <exception cref="SinkUnusableException">
    /// A table differs; the message says how, and which statement mends it. Nothing was run.
    /// </exception>
    /// <exception cref="ClickHouseException">A statement failed.</exception>
    public Task EnsureAsync(IBlockSink sink, CancellationToken cancel) => RunAsync(sink, IsUsable, cancel);

    /// <summary>The plan for people: problems, then statements with their reasons.</summary>
    public override string ToString()
    {
        var text = new StringBuilder();
        foreach (var problem in _problems)
        {
            text.Append(CultureInfo.InvariantCulture, $"-- Problem: {problem}\n");
        }

        foreach (var step in _steps)
        {
            text.Append(CultureInfo.InvariantCulture, $"-- {step.Reason}\n{step.Statement};\n");
        }

        return text.Length == 0 ? "-- All tables are as they should be.\n" : text.ToString();
    }

    private async Task RunAsync(IBlockSink sink, bool mayRun, CancellationToken cancel)
    {
        if (!mayRun)
        {
            var differences = _problems.Concat(_steps.Where(step => step.Kind == SchemaStepKind.Change)
                .Select(step => $"{step.Reason} 'weir schema apply' would run: {step.Statement}"));
            throw new SinkUnusableException($"The tables are not as the views need them: {string.Join(" ", differences)}");
        }

        foreach (var step in _steps)
        {
            await sink.ExecuteAsync(step.Statement, cancel).ConfigureAwait(false);
        }
    }

    private void Compare(TableDesign table, TableState? state)
    {
        var name = table.View.Name;
        foreach (var meter in table.UnsupportedMeters)
        {
            _problems.Add(
                $"{name}.{meter.Name}: ClickHouse {_features.Version} cannot keep a "
                + $"{(meter.Fold == MeterFold.Max ? "maximum" : "minimum")}, because it has no SimpleAggregateFunction; "
                + "use a server from 19.6 on, or leave the meter out of the view.");
        }

        if (name is LedgerTable.Name or SchemaMigrations.Table || table.Columns.Count(column => column.Name == TableDesign.BlockColumn) > 1)
        {
            _problems.Add(
                $"{name}: {LedgerTable.Name}, {SchemaMigrations.Table} and {TableDesign.BlockColumn} are "
                + "Weir's own names; give the view or its column another.");
        }
        else if (state is null)
        {
            _steps.Add(new SchemaStep(SchemaStepKind.Create, $"There is no table {name}.", table.CreateStatement()));
        }
        else
        {
            CompareTable(table, state);
        }
    }

    /// <summary>
    /// Puts the migrations that the database has not noted before what the comparison found, each with its note after it. Tables that are only
    /// being made are those of the last migration: all notes come after them.
    /// </summary>
    private void AddMigrations(IReadOnlyDictionary<string, TableState> existing, IReadOnlyList<AppliedMigration> applied, int compareFrom)
    {
        var oldest = applied.Select(migration => migration.OldestWriter).DefaultIfEmpty().Max();
        if (oldest > SchemaMigrations.Latest)
        {
            _problems.Add(
                $"{SchemaMigrations.Table} says that a newer weir has changed the tables, and that one must know migration {oldest} to write them; "
                + $"this one knows {SchemaMigrations.Latest}: use the newer version.");
        }

        var compared = _steps[compareFrom..];
        _steps.RemoveRange(compareFrom, compared.Count);
        var isNew = !existing.ContainsKey(LedgerTable.Name) && !Tables.Any(table => existing.ContainsKey(table.View.Name));
        if (isNew)
        {
            _steps.AddRange(compared);
        }

        if (!existing.ContainsKey(SchemaMigrations.Table))
        {
            var statement = SchemaMigrations.CreateStatement(_options, _features);
            _steps.Add(new SchemaStep(SchemaStepKind.Create, $"There is no table {SchemaMigrations.Table}, which notes migrations.", statement));
        }

        foreach (var migration in SchemaMigrations.All.Where(migration => !applied.Any(known => known.Number == migration.Number)))
        {
            if (!isNew)
            {
                _steps.AddRange(migration.Steps(this, existing)
                    .Select(step => step with { Reason = $"Migration {migration.Number} ({migration.Title}): {step.Reason}" }));
            }

            _steps.Add(SchemaMigrations.NoteOf(migration, _options));
        }

        _steps.AddRange(compared.Where(step => !_steps.Exists(other => other.Statement == step.Statement)).ToList());
    }

    private void CompareLedger(TableState? state)
    {
        IsLedgerReplicated = state is null ? _features.IsReplicated : TableOptions.IsReplicated(state.Engine);
        if (state is null)
        {
            _steps.Add(new SchemaStep(SchemaStepKind.Create, $"There is no table {LedgerTable.Name}.", Ledger.CreateStatement()));
        }
        else
        {
            Ledger.Compare(state, _steps, _problems);
        }
    }

    /// <summary>What the configuration asks of the server that no statement brings.</summary>
    private void CheckServers(IReadOnlyDictionary<string, TableState> existing)
    {
        if (_options.Fsync && !_features.HasFsync)
        {
            _problems.Add($"clickhouse.fsync: ClickHouse {_features.Version} has no setting for it; set it to false, or use a newer server.");
        }

        var names = Tables.Select(table => table.View.Name).Append(LedgerTable.Name);
        var plain = names.FirstOrDefault(
            name => existing.TryGetValue(name, out var state) ? !TableOptions.IsReplicated(state.Engine) : !_features.IsReplicated);
        if (_options.Servers.Count > 1 && plain is not null)
        {
            _problems.Add(
                $"clickhouse.urls names {_options.Servers.Count} servers, but {plain} is not replicated: blocks would spread over the servers, "
                + "and one that is sent again to another would count twice. Name one server, or give them the macros shard and replica and "
                + "a ZooKeeper or Keeper, so that Weir makes replicated tables.");
        }
    }

    /// <summary>A table as it will be when the steps of a start have run.</summary>
    private (string Name, bool IsReplicated, string Definition) Prospect(
        TableDesign table, IReadOnlyDictionary<string, TableState> existing)
    {
        if (!existing.TryGetValue(table.View.Name, out var state))
        {
            return (table.View.Name, _features.IsReplicated, table.CreateStatement().Replace('\n', ' '));
        }

        var tuned = _steps
            .Where(step => step.Kind == SchemaStepKind.Tune && step.Statement.StartsWith($"ALTER TABLE {table.QualifiedName} MODIFY SETTING ", StringComparison.Ordinal))
            .Select(step => step.Statement[(step.Statement.IndexOf(" SETTING ", StringComparison.Ordinal) + " SETTING ".Length)..])
            .ToList();

        // The first value found counts: those of the steps come before the present ones.
        return (
            table.View.Name,
            TableOptions.IsReplicated(state.Engine),
            tuned.Count == 0 ? state.Definition : $" SETTINGS {string.Join(", ", tuned)}, {state.Definition}");
    }

    private void CompareTable(TableDesign table, TableState state)
    {
        var name = table.View.Name;
        if (!_engines.Contains(state.Engine))
        {
            _problems.Add(
                $"{name} is a {state.Engine} and must be a SummingMergeTree; an engine cannot be changed: "
                + Replacement(table));
            return; // Nothing else of it is comparable.
        }

        var sortingKey = string.Join(", ", table.SortingKey);
        if (Normal(state.SortingKey) != sortingKey)
        {
            _problems.Add(
                $"{name} is sorted by ({state.SortingKey}) and must be by ({sortingKey}), or rows of different tags would be added up; "
                + $"a sort key cannot be changed: {Replacement(table)}");
        }

        if (Normal(state.PartitionKey) != "toYYYYMMDD(time)")
        {
            _problems.Add(
                $"{name} is partitioned by ({state.PartitionKey}) and must be by day, toYYYYMMDD(time), "
                + $"or old days cannot be dropped: {Replacement(table)}");
        }

        foreach (var column in table.Columns)
        {
            CompareColumn(table, state, column);
        }

        CompareSettings(table, state);
    }

    private void CompareColumn(TableDesign table, TableState state, ColumnState column)
    {
        var name = table.View.Name;
        var found = state.Columns.Where(other => other.Name == column.Name).ToList();
        if (found.Count == 0)
        {
            if (table.SortingKey.Contains(column.Name))
            {
                _problems.Add(
                    $"{name} has no column {column.Name}, which is a tag: "
                    + $"a tag must be in the sort key from the start: {Replacement(table)}");
                return;
            }

            if (column.Name == TableDesign.BlockColumn)
            {
                return; // Of the block names.
            }

            var after = table.Columns[table.Columns.ToList().IndexOf(column) - 1].Name;
            var position = state.Columns.Any(other => other.Name == after) ? $" AFTER {SqlText.Name(after)}" : "";
            _steps.Add(new SchemaStep(
                SchemaStepKind.Change,
                $"{name} has no column {column.Name}; adding a meter is safe, old rows get 0.",
                $"ALTER TABLE {table.QualifiedName} ADD COLUMN {SqlText.Name(column.Name)} {column.Type}{position}"));
        }
        else if (found[0].Type != column.Type)
        {
            _problems.Add(
                $"{name}.{column.Name} is {found[0].Type} and must be {column.Type}; "
                + $"Weir does not convert what is stored: {Replacement(table)}");
        }
    }

    private void CompareSettings(TableDesign table, TableState state)
    {
        var ttl = FindTtl(state.Definition);
        if (table.Ttl is { } wanted && ttl != wanted)
        {
            _steps.Add(new SchemaStep(
                SchemaStepKind.Tune,
                $"{table.View.Name} keeps rows {(ttl is null ? "for ever" : $"until {ttl}")} "
                + $"and should until {wanted} (clickhouse.retention).",
                $"ALTER TABLE {table.QualifiedName} MODIFY TTL {wanted}"));
        }
        else if (table.Ttl is null && ttl is not null)
        {
            _steps.Add(new SchemaStep(
                SchemaStepKind.Tune,
                $"{table.View.Name} keeps rows until {ttl} and should for ever (clickhouse.retention).",
                $"ALTER TABLE {table.QualifiedName} REMOVE TTL"));
        }

        _steps.AddRange(table.CompareBlockNames(state));
    }

    private static string Replacement(TableDesign table) =>
        $"rename the table (RENAME TABLE {table.QualifiedName} TO …), let Weir make a new one, and copy the rows; "
        + "or give the view another name.";

    private static string Normal(string key) => key.Replace("`", "", StringComparison.Ordinal);

    private static string? FindTtl(string definition)
    {
        var start = definition.IndexOf(" TTL ", StringComparison.Ordinal);
        if (start < 0)
        {
            return null;
        }

        var ttl = definition[(start + " TTL ".Length)..];
        var end = ttl.IndexOf(" SETTINGS ", StringComparison.Ordinal);
        return (end < 0 ? ttl : ttl[..end]).Trim();
    }
}
