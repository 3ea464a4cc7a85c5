using Weir.Tests.Support;
using Xunit;

namespace Weir.Tests.Faults;

/// <summary>One fault each, as <c>docs/guarantees.md</c> names them.</summary>
[Collection(ProcessesCollection.Name)]
public sealed class NamedFaultTests
{
    private const int RunsAtOnce = 3;

    [RealPartFact(RealPart.LocalRdkafka, RealPart.EmbeddedClickHouse)]
    public async Task A_kill_at_a_named_step_loses_and_doubles_nothing()
    {
        foreach (var steps in FaultPlan.Steps.Chunk(RunsAtOnce))
        {
            var killCounts = await Task.WhenAll(steps.Select(
                step => RunAsync(StoreKind.Embedded, Fault(FaultKind.KillAtStep, 0, detail: $"{step}:1"))));
            Assert.Equal(steps.Select(_ => 1), killCounts);
        }
    }

    [RealPartFact(RealPart.LocalRdkafka, RealPart.ClickHouseServer, RealPart.ZooKeeper)]
    public async Task A_process_that_stands_still_and_goes_on_inserts_nothing_twice() => await RunAsync(
        StoreKind.Replicated, workerCount: 2, Fault(FaultKind.FreezeWorker, 1.2, seconds: 5), Fault(FaultKind.FreezeWorker, 1.7, worker: 1, seconds: 6));

    [RealPartFact(RealPart.LocalRdkafka, RealPart.ClickHouseServer, RealPart.ZooKeeper)]
    public async Task A_zookeeper_and_a_server_that_die_are_waited_for() => await RunAsync(
        StoreKind.Replicated, Fault(FaultKind.KeeperAway, 1, seconds: 2), Fault(FaultKind.KillStore, 4, seconds: 1));

    [RealPartFact(RealPart.LocalRdkafka, RealPart.ClickHouseServer, RealPart.ZooKeeper)]
    public async Task Connections_that_are_cut_and_answers_that_are_errors_count_nothing_twice() => await RunAsync(
        StoreKind.Replicated,
        Fault(FaultKind.CutInBody, 0.5, detail: "3"),
        Fault(FaultKind.LoseAnswer, 1, detail: "4"),
        Fault(FaultKind.Http500, 2, detail: "3"),
        Fault(FaultKind.ServerError, 3, detail: "242 252 241"),
        Fault(FaultKind.FreezeStore, 4, seconds: 4));

    [RealPartFact(RealPart.LocalRdkafka, RealPart.ClickHouseServer)]
    public async Task Plain_tables_of_2018_lose_nothing_and_say_that_they_may_count_twice() => await RunAsync(
        StoreKind.Plain, Fault(FaultKind.LoseAnswer, 0.5, detail: "3"), Fault(FaultKind.KillStore, 2, seconds: 0.5), Fault(FaultKind.KillWorker, 4));

    [RealPartFact(RealPart.LocalRdkafka, RealPart.EmbeddedClickHouse)]
    public async Task A_clock_that_jumps_changes_no_sum() => await RunAsync(
        StoreKind.Embedded, Fault(FaultKind.ClockJump, 0.3, detail: "-7200"), Fault(FaultKind.ClockJump, 4, detail: "90000"));

    [RealPartFact(RealPart.LocalRdkafka, RealPart.EmbeddedClickHouse, RealPart.SmallDisk)]
    public async Task A_disk_that_is_full_for_a_while_loses_nothing() => await RunAsync(
        StoreKind.Embedded, Fault(FaultKind.DiskFull, 2, seconds: 2));

    [RealPartFact(RealPart.LocalRdkafka, RealPart.ClickHouseServer)]
    public async Task Blocks_that_are_refused_for_ever_are_a_named_loss() =>
        await FaultRun.RunAsync(Plan(StoreKind.Plain) with { Faults = [Fault(FaultKind.ServerError, 0.3, detail: "16 16 16")], RefusedCount = 3 });

    [RealPartTheory(RealPart.LocalRdkafka, RealPart.EmbeddedClickHouse)]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_broker_that_is_away_for_longer_than_a_session_loses_nothing(bool isDown) => await FaultRun.RunAsync(
        Plan(StoreKind.Embedded) with { IsBrokerDown = isDown, Faults = [Fault(FaultKind.BrokerAway, 2, seconds: 4.5)] });

    private static Fault Fault(FaultKind kind, double at, int worker = 0, double seconds = 0, string detail = "") =>
        new(TimeSpan.FromSeconds(at), kind, worker, TimeSpan.FromSeconds(seconds), detail);

    private static Task<int> RunAsync(StoreKind store, params Fault[] faults) => RunAsync(store, 1, faults);

    private static Task<int> RunAsync(StoreKind store, int workerCount, params Fault[] faults) =>
        FaultRun.RunAsync(Plan(store) with { WorkerCount = workerCount, Faults = faults });

    private static FaultPlan Plan(StoreKind store) => new()
    {
        Seed = 1,
        Store = store,
        RecordCount = 20_000,
        Options = new Dictionary<string, string> { ["WEIR__FLUSH__INTERVAL"] = "200ms" },
    };
}
