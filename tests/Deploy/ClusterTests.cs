using Weir.Tests.Support;
using Weir.Writer;
using Xunit;

namespace Weir.Tests.Deploy;

/// <summary><c>weir schema plan|apply --cluster</c>, and tables of the first release brought to this one.</summary>
[Collection(RealPartsCollection.Name)]
public sealed class ClusterTests
{
    [Theory]
    [InlineData("CREATE DATABASE IF NOT EXISTS `weir`", "CREATE DATABASE IF NOT EXISTS `weir` ON CLUSTER `c`")]
    [InlineData("ALTER TABLE `weir`.`a\\`b` MODIFY TTL `x`", "ALTER TABLE `weir`.`a\\`b` ON CLUSTER `c` MODIFY TTL `x`")]
    [InlineData("CREATE TABLE IF NOT EXISTS `w`.`t`\n(\n    `time` DateTime\n)", "CREATE TABLE IF NOT EXISTS `w`.`t` ON CLUSTER `c`\n(\n    `time` DateTime\n)")]
    public void The_clause_follows_the_name(string statement, string expected) => Assert.Equal(expected, ClusterPlan.OnCluster(statement, "c"));

    [RealPartFact(RealPart.ClickHouseServer, RealPart.ZooKeeper)]
    public async Task A_cluster_gets_its_tables_on_each_shard_and_distributed_ones_that_read_them_together()
    {
        await using var keeper = new ZooKeeperServer();
        await keeper.StartAsync();
        var shards = ClickHouseServer.NewShards(keeper.Port, "pair", 2);
        try
        {
            await Task.WhenAll(shards.Select(shard => shard.StartAsync()));
            var directory = Directory.CreateTempSubdirectory("weir-cluster-").FullName;
            var config = Path.Combine(directory, "weir.yaml");
            await File.WriteAllTextAsync(config, $"clickhouse: {{ url: '{shards[0].Url}', database: clustered, retention: {{ 1s: off, 1m: off }} }}\n");

            var plan = await ProgramProcess.RunAsync(directory, null, "schema", "plan", "-c", config, "--cluster", "pair");
            Assert.True(plan.Code == 0, plan.Error);
            Assert.Contains("CREATE DATABASE IF NOT EXISTS `clustered` ON CLUSTER `pair`;", plan.Output, StringComparison.Ordinal);
            Assert.Contains("CREATE TABLE IF NOT EXISTS `clustered`.`edge_1s_all` ON CLUSTER `pair`", plan.Output, StringComparison.Ordinal);
            Assert.Equal("0", await shards[1].RunAsync("SELECT count() FROM system.databases WHERE name = 'clustered'")); // Only printed.

            var apply = await ProgramProcess.RunAsync(directory, null, "schema", "apply", "-c", config, "--cluster", "pair");
            Assert.True(apply.Code == 0, apply.Error);
            foreach (var shard in shards)
            {
                Assert.Equal("11", await shard.RunAsync("SELECT count() FROM system.tables WHERE database = 'clustered'"));
                Assert.Equal(
                    "6", await shard.RunAsync("SELECT count() FROM system.tables WHERE database = 'clustered' AND engine LIKE 'Replicated%'"));
                await shard.RunAsync("INSERT INTO clustered.service_1m (time, dst_port, records) VALUES (1700000000, 53, 7)");
            }

            Assert.Equal("14", await shards[1].RunAsync("SELECT sum(records) FROM clustered.service_1m_all WHERE dst_port = 53"));
            var again = await ProgramProcess.RunAsync(directory, null, "schema", "plan", "-c", config, "--cluster", "pair");
            Assert.Equal(("", 0), (again.Output, again.Code));

            // A shard that lacks a table, and a Distributed table that lacks a meter, are found and mended.
            await shards[1].RunAsync("DROP TABLE clustered.edge_1m");
            await shards[0].RunAsync("DROP TABLE clustered.edge_1s_all");
            await shards[0].RunAsync("CREATE TABLE clustered.edge_1s_all (time DateTime('UTC')) ENGINE = Distributed(pair, clustered, edge_1s)");
            var mend = await ProgramProcess.RunAsync(directory, null, "schema", "apply", "-c", config, "--cluster", "pair");
            Assert.True(mend.Code == 0, mend.Error);
            Assert.Contains("1 of 2 shards have the table edge_1m", mend.Output, StringComparison.Ordinal);
            Assert.Contains("DROP TABLE IF EXISTS `clustered`.`edge_1s_all`", mend.Output, StringComparison.Ordinal);
            Assert.Equal("", (await ProgramProcess.RunAsync(directory, null, "schema", "plan", "-c", config, "--cluster", "pair")).Output);

            var unknown = await ProgramProcess.RunAsync(directory, null, "schema", "plan", "-c", config, "--cluster", "trio");
            Assert.Equal(2, unknown.Code);
            Assert.Contains("the server knows no cluster trio (remote_servers); it knows pair", unknown.Error, StringComparison.Ordinal);
            Directory.Delete(directory, recursive: true);
        }
        finally
        {
            foreach (var shard in shards)
            {
                await shard.DisposeAsync();
            }
        }
    }

    [RealPartFact(RealPart.EmbeddedClickHouse)]
    public async Task Schema_plan_prints_the_migrations_by_number_and_apply_runs_them_once()
    {
        var directory = Directory.CreateTempSubdirectory("weir-first-").FullName;
        try
        {
            var config = Path.Combine(directory, "weir.yaml");
            await File.WriteAllTextAsync(config, "clickhouse: { embedded: store }\n");
            Assert.Equal(0, (await ProgramProcess.RunAsync(directory, null, "schema", "apply", "-c", config)).Code);
            await using (var store = new EmbeddedClickHouseSink(new WriterOptions { Url = null, EmbeddedPath = Path.Combine(directory, "store") }))
            {
                await store.ConnectAsync(default);
                await store.ExecuteAsync("DROP TABLE weir.weir_ledger", default);
                await store.ExecuteAsync("DROP TABLE weir.weir_schema", default);
                foreach (var view in new[] { "edge_1s", "edge_1m", "service_1s", "service_1m" })
                {
                    await store.ExecuteAsync($"ALTER TABLE weir.{view} RESET SETTING non_replicated_deduplication_window", default);
                }
            }

            var plan = await ProgramProcess.RunAsync(directory, null, "schema", "plan", "-c", config);
            var apply = await ProgramProcess.RunAsync(directory, null, "schema", "apply", "-c", config);
            var after = await ProgramProcess.RunAsync(directory, null, "schema", "plan", "-c", config);

            Assert.Equal(plan.Output, apply.Output);
            Assert.Equal(4, plan.Output.Split("MODIFY SETTING non_replicated_deduplication_window").Length - 1);
            Assert.Matches(@"-- Migration 2 \(.*\): There is no table weir_ledger\.", plan.Output);
            Assert.Contains("INSERT INTO `weir`.`weir_schema`", plan.Output, StringComparison.Ordinal);
            Assert.Equal(("", 0), (after.Output, after.Code));
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }
}
