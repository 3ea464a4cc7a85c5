using System.Text.RegularExpressions;
using Weir.Tests.EndToEnd;
using Weir.Tests.Support;
using Xunit;

namespace Weir.Tests.Deploy;

/// <summary>
/// Every command in docs/operations.md, in docs/guarantees.md and in the runbooks is run as it stands there, in the order in which an operator
/// would, against a broker and two shards of 18.16. A command that is new in the text fails until it is run here.
/// </summary>
[Collection(ProcessesCollection.Name)]
public sealed partial class OperationsTests
{
    private const int PartitionCount = 2;
    private const int RecordCount = 2_000;

    /// <summary>They need what the tests have not: a cluster of Kubernetes. <c>kubectl kustomize</c> is run by ManifestTests.</summary>
    private static readonly string[] _notRun = ["kubectl -n weir exec weir-0 -- /app/weir", "kubectl apply -k k8s/overlays/prod"];

    [RealPartFact(RealPart.LocalRdkafka, RealPart.ClickHouseServer, RealPart.ZooKeeper)]
    public async Task Every_command_of_the_operators_pages_does_what_they_say()
    {
        await using var keeper = new ZooKeeperServer();
        await keeper.StartAsync();
        var shards = ClickHouseServer.NewShards(keeper.Port, "pair", 2);
        try
        {
            await Task.WhenAll(shards.Select(shard => shard.StartAsync()));
            using var bed = await PipelineBed.StartAsync($"flows:{PartitionCount}", $"raw:{PartitionCount}");
            var config = bed.Configure(
                $"url: '{shards[0].Url}', retention: {{ 1s: off, 1m: off }}",
                [("flows", "weir, rekeyed_from: raw")],
                more: "dead_letters: { directory: letters }");
            File.Copy(config, Path.Combine(bed.DirectoryPath, "weir.yaml"));
            var session = new Session(bed);

            await session.ScriptAsync("scripts/setup.sh");
            await session.WeirAsync("weir check -c weir.yaml");
            Assert.Contains("CREATE TABLE", await session.WeirAsync("weir schema plan -c weir.yaml"), StringComparison.Ordinal);
            Assert.Contains("ON CLUSTER `pair`", await session.WeirAsync("weir schema plan -c weir.yaml --cluster pair"), StringComparison.Ordinal);
            await session.WeirAsync("weir schema apply -c weir.yaml --cluster pair");
            Assert.Equal("", await session.WeirAsync("weir schema apply -c weir.yaml")); // All is there.
            using var run = await session.RunAsync("weir run -c weir.yaml");
            await RekeyAsync(bed, session, "weir rekey -c weir.yaml --from raw:pmacct-json --to flows", run);
            await session.GetAsync("curl -s http://127.0.0.1:9526/readyz", run);
            Assert.NotEqual("", await session.WeirAsync("weir query -c weir.yaml \"SELECT max(time) FROM service_1m\""));
            await session.WeirAsync("weir audit -c weir.yaml");
            Assert.StartsWith("{", (await session.WeirAsync("weir audit -c weir.yaml --since 36h --json")).TrimStart(), StringComparison.Ordinal);
            Assert.Contains("no record", await session.WeirAsync("weir deadletters show -c weir.yaml"), StringComparison.Ordinal);
            await session.WeirAsync("weir deadletters replay -c weir.yaml");
            await session.WeirAsync("weir reload -c weir.yaml");
            session.Signal("kill -HUP <pid>", run);
            await PipelineBed.AssertStopsAsync(run);

            Assert.Equal(Commands().Except(_notRun).Order(StringComparer.Ordinal), session.Ran.Distinct().Order(StringComparer.Ordinal));
        }
        finally
        {
            foreach (var shard in shards)
            {
                await shard.DisposeAsync();
            }
        }
    }

    private static async Task RekeyAsync(PipelineBed bed, Session session, string command, WeirRun run)
    {
        using var rekeyer = session.Start(command);
        await rekeyer.LineAsync("Rekeying raw");
        bed.Produce("raw", PartitionCount, FlowFeed.Messages("pmacct-json", FlowFeed.Make("pmacct-json", 1, RecordCount), 20));
        bed.Kafka.Produce("raw", 0, "no record"u8.ToArray());
        await rekeyer.LineAsync("1 records of raw did not decode");
        await Eventually.TrueAsync(
            async () => await run.AccountAsync("folded") >= RecordCount,
            () => $"all is stored; the rekeyer said {rekeyer.ErrorText}\nweir said {run.Process.ErrorText}",
            TimeSpan.FromSeconds(120));
        rekeyer.Signal("TERM");
        Assert.Equal(0, await rekeyer.ExitCodeAsync());
    }

    /// <summary>The commands of the pages: lines of code, and words of code that name the configuration, without what follows a #.</summary>
    private static HashSet<string> Commands()
    {
        string[] pages =
        [
            RepositoryPaths.Of("docs", "operations.md"),
            RepositoryPaths.Of("docs", "guarantees.md"),
            .. Directory.GetFiles(RepositoryPaths.Of("docs", "runbooks"), "*.md"),
        ];
        var commands = new HashSet<string>();
        foreach (var text in pages.Select(File.ReadAllText))
        {
            foreach (Match block in CodeBlock().Matches(text))
            {
                commands.UnionWith(block.Groups[1].Value.Split('\n').Select(line => line.Split(" # ")[0].TrimEnd()).Where(line => line.Length > 0));
            }

            commands.UnionWith(Words().Matches(CodeBlock().Replace(text, "")).Select(match => match.Groups[1].Value));
            commands.UnionWith(HangUp().Matches(text).Select(match => match.Value));
        }

        return commands;
    }

    [GeneratedRegex("```(?:sh)?\n(.*?)```", RegexOptions.Singleline | RegexOptions.CultureInvariant)]
    private static partial Regex CodeBlock();

    [GeneratedRegex("`((?:weir [^`]*-c weir\\.yaml|kubectl |curl )[^`]*)`", RegexOptions.CultureInvariant)]
    private static partial Regex Words();

    [GeneratedRegex("kill -HUP <pid>", RegexOptions.CultureInvariant)]
    private static partial Regex HangUp();

    [GeneratedRegex("\"([^\"]*)\"|(\\S+)", RegexOptions.CultureInvariant)]
    private static partial Regex Argument();

    /// <summary>An operator's shell in the directory of the bed.</summary>
    private sealed class Session(PipelineBed bed)
    {
        /// <summary>The port of the pages is the default one; here it is one that is free.</summary>
        private readonly Dictionary<string, string> _environment = new() { ["WEIR__ADMIN__LISTEN"] = $"127.0.0.1:{ClickHouseServer.FreePort()}" };

        /// <summary>What was run, as it stands in the pages.</summary>
        internal List<string> Ran { get; } = [];

        /// <summary>Runs a command to its end, which has to be good.</summary>
        /// <returns>What it printed.</returns>
        internal async Task<string> WeirAsync(string command)
        {
            using var program = Start(command);
            var code = await program.ExitCodeAsync();
            Assert.True(code == 0, $"{command} ended with {code}: {program.OutputText}{program.ErrorText}");
            return program.OutputText;
        }

        internal ProgramProcess Start(string command)
        {
            Ran.Add(command);
            return ProgramProcess.Start(bed.DirectoryPath, _environment, [.. Words(command).Skip(1)]);
        }

        /// <summary>Starts the pipeline.</summary>
        internal Task<WeirRun> RunAsync(string command)
        {
            Ran.Add(command);
            Assert.Equal(["weir", "run", "-c", "weir.yaml"], Words(command));
            return WeirRun.StartAsync(bed.DirectoryPath, "weir.yaml", _environment);
        }

        /// <summary>What curl would get, until it is good.</summary>
        internal async Task GetAsync(string command, WeirRun run)
        {
            Ran.Add(command);
            using var client = new HttpClient();
            var url = Words(command)[^1].Replace("127.0.0.1:9526", _environment["WEIR__ADMIN__LISTEN"], StringComparison.Ordinal);
            await Eventually.TrueAsync(
                async () => (await client.GetAsync(new Uri(url))).IsSuccessStatusCode, () => $"{url} is good; weir said {run.Process.ErrorText}");
        }

        /// <summary>A script is there and is one; that it has run is what the tests stand on.</summary>
        internal async Task ScriptAsync(string command)
        {
            Ran.Add(command);
            using var bash = System.Diagnostics.Process.Start("bash", ["-n", RepositoryPaths.Of(command.Split('/'))]);
            await bash.WaitForExitAsync();
            Assert.Equal(0, bash.ExitCode);
        }

        internal void Signal(string command, WeirRun run)
        {
            Ran.Add(command);
            run.Process.Signal(Words(command)[1].TrimStart('-'));
        }

        private static List<string> Words(string command) =>
            [.. Argument().Matches(command).Select(match => match.Groups[1].Success ? match.Groups[1].Value : match.Value)];
    }
}
