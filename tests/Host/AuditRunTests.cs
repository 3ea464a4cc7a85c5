using System.Text;
using Weir.Core.Model;
using Weir.Host;
using Weir.Host.Audit;
using Weir.Host.Commands;
using Xunit;

namespace Weir.Tests.Host;

/// <summary>The audit of a weir that runs: what moves is looked at again.</summary>
public class AuditRunTests
{
    private const string Ledger =
        "flows\t0\t0\t10\tedge_1m\t0\t1\t5\t0\t0\t20700\t5\t0\t0\t5\t5\t0\t0\t0\t0\t\t\t0\t1788480000\t1788480001\t1\t1788480002\t0\n";

    private static readonly PartitionKey _key = new("flows", 0);

    [Fact]
    public async Task A_table_that_is_ahead_while_a_cut_is_in_flight_is_looked_at_again_until_it_is_stored()
    {
        var store = new ScriptedStore { TableRecords = [8, 5], Fingerprints = ["1", "1", "2", "2"] };
        var backend = new FakeBackend { Positions = new() { [_key] = new GroupPosition(10, 20, 0) } };

        var report = await RunAsync(store, backend, TimeSpan.FromMinutes(1));

        Assert.Equal(AuditVerdict.Exact, report.Verdict);
        Assert.Equal(2, store.LookCount);
    }

    [Fact]
    public async Task What_does_not_settle_in_time_is_unsettled_and_not_a_difference()
    {
        var store = new ScriptedStore { TableRecords = [8], Fingerprints = ["1"] };
        var backend = new FakeBackend { Positions = new() { [_key] = new GroupPosition(10, 20, 0) } };

        Assert.Equal(AuditVerdict.Unsettled, (await RunAsync(store, backend, TimeSpan.Zero)).Verdict);
    }

    [Fact]
    public async Task A_ledger_that_moves_excuses_rows_too_many_and_never_rows_too_few()
    {
        var backend = new FakeBackend { Positions = new() { [_key] = new GroupPosition(10, null, 0) } };
        var more = new ScriptedStore { TableRecords = [8], Fingerprints = ["1", "2"] };
        var fewer = new ScriptedStore { TableRecords = [4], Fingerprints = ["1", "2"] };

        Assert.Equal(AuditVerdict.Unsettled, (await RunAsync(more, backend, TimeSpan.Zero)).Verdict);
        Assert.Equal(AuditVerdict.Differences, (await RunAsync(fewer, backend, TimeSpan.FromMinutes(1))).Verdict);
        Assert.Equal(1, fewer.LookCount);
    }

    [Fact]
    public async Task A_difference_that_stands_still_is_told_at_once()
    {
        var store = new ScriptedStore { TableRecords = [8], Fingerprints = ["1"] };
        var backend = new FakeBackend { Positions = new() { [_key] = new GroupPosition(10, null, 0) } };

        Assert.Equal(AuditVerdict.Differences, (await RunAsync(store, backend, TimeSpan.FromMinutes(1))).Verdict);
        Assert.Equal(1, store.LookCount);
    }

    [Fact]
    public async Task Without_kafka_what_is_committed_is_not_asked_for()
    {
        var store = new ScriptedStore { TableRecords = [5], Fingerprints = ["1"] };
        var report = await RunAsync(store, new FakeBackend(), TimeSpan.Zero, hasKafka: false);

        Assert.Equal(AuditVerdict.Exact, report.Verdict);
        await Assert.ThrowsAsync<CommandException>(() => RunAsync(store, new FakeBackend(), TimeSpan.Zero));
    }

    private static Task<AuditReport> RunAsync(ScriptedStore store, FakeBackend backend, TimeSpan wait, bool hasKafka = true)
    {
        var view = new ViewDefinition("edge_1m", 60, [StandardSchema.Proto], [StandardSchema.Records], ["proto"]);
        var options = new WeirOptions { Views = [view] };
        return new AuditRun(options, new AuditSettings(null, null, hasKafka, wait), backend, store, TimeProvider.System).RunAsync(default);
    }

    private sealed class ScriptedStore : IStoreQuestions
    {
        private int _fingerprintCount;

        public required int[] TableRecords { get; init; }

        public required string[] Fingerprints { get; init; }

        public int LookCount { get; private set; }

        public async Task AskAsync(string sql, string format, Stream output, CancellationToken cancel) =>
            await output.WriteAsync(Encoding.UTF8.GetBytes(Answer(sql)), cancel);

        private string Answer(string sql)
        {
            if (sql.Contains("system.tables", StringComparison.Ordinal))
            {
                return "edge_1m\nweir_ledger\n";
            }

            if (sql.Contains("cityHash64", StringComparison.Ordinal))
            {
                return Fingerprints[Math.Min(_fingerprintCount++, Fingerprints.Length - 1)] + "\n";
            }

            if (sql.Contains("min(stored_at)", StringComparison.Ordinal))
            {
                return "edge_1m\t1788480002\n";
            }

            if (sql.Contains("now()", StringComparison.Ordinal))
            {
                return "1788490000\n";
            }

            if (sql.Contains("ORDER BY topic", StringComparison.Ordinal))
            {
                return Ledger;
            }

            return $"20700\t{TableRecords[Math.Min(LookCount++, TableRecords.Length - 1)]}\t0\t0\n";
        }
    }
}
