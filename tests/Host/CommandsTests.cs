using System.Net;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using Weir.Core.Model;
using Weir.Host;
using Weir.Host.Admin;
using Weir.Host.Commands;
using Xunit;

namespace Weir.Tests.Host;

/// <summary>Whole command lines, in this process, against stages that are doubles.</summary>
public sealed class CommandsTests : IDisposable
{
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("weir-commands-");
    private readonly FakeBackend _backend = new();
    private readonly Dictionary<string, string> _environment = [];
    private readonly StringWriter _output = new();
    private readonly MemoryStream _outputBytes = new();
    private readonly StringWriter _error = new();
    private ShutdownSignal? _shutdown;
    private bool _isTerminal;

    [Fact]
    public async Task Help_leads_a_newcomer_from_the_demo_to_a_query()
    {
        Assert.Equal(0, await RunAsync("--help"));

        var help = _output.ToString();
        foreach (var expected in new[]
        {
            "reads flow records from Kafka", "weir demo", "weir check -c weir.yaml", "weir run -c weir.yaml", "weir query", "weir broker",
            "Exit codes: 0 done", "WEIR__FLUSH__INTERVAL", "schema",
        })
        {
            Assert.Contains(expected, help, StringComparison.Ordinal);
        }

        Assert.DoesNotContain("docs  ", help, StringComparison.Ordinal);
    }

    [Fact]
    public async Task No_words_at_all_are_a_question_for_help()
    {
        Assert.Equal(0, await RunAsync());
        Assert.Contains("First steps:", _output.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("run", "SIGTERM or Ctrl-C")]
    [InlineData("check", "--offline")]
    [InlineData("query", "--format")]
    [InlineData("schema", "apply")]
    [InlineData("broker", "for trying out and for tests only")]
    [InlineData("demo", "--seconds")]
    public async Task Each_command_has_help(string command, string expected)
    {
        Assert.Equal(0, await RunAsync(command, "--help"));
        Assert.Contains(expected, _output.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_version_is_one_line()
    {
        Assert.Equal(0, await RunAsync("--version"));
        Assert.Matches(@"^\d+\.\d+\.\d+\S*\n$", _output.ToString());
    }

    [Theory]
    [InlineData("rnu")]
    [InlineData("run", "--cnfig", "x")]
    [InlineData("query")]
    [InlineData("schema")]
    [InlineData("demo", "--seconds", "0")]
    [InlineData("demo", "--seconds", "x")]
    [InlineData("broker")]
    [InlineData("broker", "--topic", "flows")]
    [InlineData("broker", "--topic", "flows:0")]
    [InlineData("broker", "--topic", "flows:1", "--session-timeout", "45")]
    [InlineData("query", "SELECT 1", "--format", "a b")]
    public async Task A_wrong_command_line_is_told_and_ends_with_2(params string[] args)
    {
        Assert.Equal(2, await RunAsync(args));

        Assert.All(Lines(_error), line => Assert.StartsWith("weir: ", line, StringComparison.Ordinal));
        Assert.Contains("--help", _error.ToString(), StringComparison.Ordinal);
        Assert.Empty(_backend.Calls);
    }

    [Fact]
    public async Task Run_reads_the_file_and_the_environment()
    {
        _environment["WEIR__KAFKA__GROUP"] = "from-env";

        Assert.Equal(0, await RunAsync("run", "-c", Config("kafka: { group: from-file }")));
        Assert.Equal(["run from-env"], _backend.Calls);
    }

    [Theory]
    [InlineData("run")]
    [InlineData("check")]
    [InlineData("schema", "plan")]
    [InlineData("query", "SELECT 1")]
    public async Task A_wrong_configuration_is_told_whole_and_ends_with_2(params string[] command)
    {
        var file = Config("flush: { interval: 1 }\nkafka: { gruop: x }");

        Assert.Equal(2, await RunAsync([.. command, "-c", file]));

        Assert.Equal(
            [
                $"weir: {file}:2: kafka.gruop is not an option; did you mean kafka.group?",
                $"weir: {file}:1: flush.interval is 1; allowed: 100ms to 1h (units ms, s, m, h, d)",
                "weir: the configuration has 2 errors; docs/configuration.md describes each option",
            ],
            Lines(_error));
        Assert.Empty(_backend.Calls);
        Assert.Empty(_output.ToString());
    }

    [Fact]
    public async Task A_file_that_is_not_there_ends_with_2()
    {
        Assert.Equal(2, await RunAsync("run", "-c", Path.Combine(_directory.FullName, "none.yaml")));
        Assert.Contains("cannot be read", _error.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Check_prints_what_can_be_fed_back_and_ends_with_0_when_all_is_there()
    {
        Assert.Equal(0, await RunAsync("check", "-c", Config("flush: { interval: 3s }")));

        var printed = Config(_output.ToString());
        Assert.Equal(["ok: kafka: there", "ok: clickhouse: ClickHouse 99.9: exactly once", "ok: clickhouse: all tables are as the views need them"], Lines(_error));
        Assert.Equal(["open", "close"], _backend.Calls);
        Assert.Equal(0, await RunAsync("check", "--offline", "-c", printed));
    }

    [Fact]
    public async Task Check_offline_connects_to_nothing()
    {
        _backend.Kafka = new ProbeReport([], ["kafka: no"]);

        Assert.Equal(0, await RunAsync("check", "--offline", "-c", Config("")));
        Assert.Empty(_backend.Calls);
    }

    [Fact]
    public async Task Check_lists_all_problems_and_ends_with_2()
    {
        _backend.Kafka = new ProbeReport([], ["kafka: no topic flows"]);
        _backend.Schema = new SchemaReport(
            [new SchemaReportStep("There is no table edge_1s.", "CREATE", true), new SchemaReportStep("edge_1m has no column bytes.", "ALTER", false)],
            ["service_1s is sorted otherwise"]);

        Assert.Equal(2, await RunAsync("check", "-c", Config("")));

        var told = _error.ToString();
        Assert.Contains("weir: kafka: no topic flows\n", told, StringComparison.Ordinal);
        Assert.Contains("weir: clickhouse: edge_1m has no column bytes. Run 'weir schema apply', which does: ALTER\n", told, StringComparison.Ordinal);
        Assert.Contains("weir: clickhouse: service_1s is sorted otherwise\n", told, StringComparison.Ordinal);
        Assert.Contains("ok: clickhouse: There is no table edge_1s. weir run mends it", told, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Check_of_a_sink_that_does_not_answer_ends_with_2()
    {
        _backend.OpenError = new StoreException("no server answers");

        Assert.Equal(2, await RunAsync("check", "-c", Config("")));
        Assert.Contains("weir: clickhouse: no server answers", _error.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Check_makes_no_store_and_does_not_mind_one_that_runs()
    {
        var absent = Path.Combine(_directory.FullName, "absent");
        Assert.Equal(0, await RunAsync("check", "-c", Config($"clickhouse: {{ embedded: {absent} }}")));
        Assert.False(Directory.Exists(absent));
        Assert.Empty(_backend.Calls);

        _backend.OpenError = new StoreException("locked", isHeld: true);
        Assert.Equal(0, await RunAsync("check", "-c", Config($"clickhouse: {{ embedded: {_directory.FullName} }}")));
    }

    [Fact]
    public async Task Schema_plan_prints_statements_and_changes_nothing()
    {
        _backend.Schema = new SchemaReport([new SchemaReportStep("edge_1s has no bytes.", "ALTER TABLE edge_1s ADD COLUMN bytes UInt64", false)], []);

        Assert.Equal(0, await RunAsync("schema", "plan", "-c", Config("")));

        Assert.Equal("-- edge_1s has no bytes.\nALTER TABLE edge_1s ADD COLUMN bytes UInt64;\n", _output.ToString());
        Assert.Equal(["open", "close"], _backend.Calls);
    }

    [Fact]
    public async Task Schema_apply_runs_the_plan_unless_something_has_to_be_mended_by_hand()
    {
        _backend.Schema = new SchemaReport([new SchemaReportStep("a", "ALTER", false)], []);
        Assert.Equal(0, await RunAsync("schema", "apply", "-c", Config("")));
        Assert.Equal(["open", "apply 1", "close"], _backend.Calls);

        _backend.Calls.Clear();
        _backend.Schema = _backend.Schema with { Conflicts = ["b"] };
        Assert.Equal(2, await RunAsync("schema", "apply", "-c", Config("")));
        Assert.Equal(["open", "close"], _backend.Calls);
    }

    [Theory]
    [InlineData(false, null, "TSV")]
    [InlineData(true, null, "PrettyCompact")]
    [InlineData(true, "1", "PrettyCompactNoEscapes")]
    public async Task A_query_is_a_table_on_a_terminal_and_tsv_else(bool isTerminal, string? noColour, string format)
    {
        _isTerminal = isTerminal;
        _environment["NO_COLOR"] = noColour ?? "";

        Assert.Equal(0, await RunAsync("query", "SELECT 1", "-c", Config("")));
        Assert.Equal(["open", $"query {format} SELECT 1", "close"], _backend.Calls);
        Assert.Equal("42\n", Encoding.UTF8.GetString(_outputBytes.ToArray()));
    }

    [Fact]
    public async Task A_query_that_the_server_refuses_ends_with_1()
    {
        _backend.QueryError = new StoreException("Code: 62. Syntax error; mend the SQL");

        Assert.Equal(1, await RunAsync("query", "SELEC", "--format", "JSON", "-c", Config("")));
        Assert.Equal(["weir: Code: 62. Syntax error; mend the SQL"], Lines(_error));
    }

    [Fact]
    public async Task A_query_goes_through_the_weir_that_left_its_address_in_the_store()
    {
        await using var server = await StartAdminAsync();
        AdminFile.Write(_directory.FullName, server.Url);

        Assert.Equal(0, await RunAsync("query", "SELECT 1", "-c", Config($"clickhouse: {{ embedded: {_directory.FullName} }}")));

        Assert.Empty(_backend.Calls);
        Assert.Equal("from the run: SELECT 1", Encoding.UTF8.GetString(_outputBytes.ToArray()));
    }

    [Fact]
    public async Task The_address_of_a_weir_that_was_killed_leads_to_the_store_itself()
    {
        var server = await StartAdminAsync();
        AdminFile.Write(_directory.FullName, server.Url);
        await server.DisposeAsync();

        Assert.Equal(0, await RunAsync("query", "SELECT 1", "-c", Config($"clickhouse: {{ embedded: {_directory.FullName} }}")));

        Assert.Equal(["open", "query TSV SELECT 1", "close"], _backend.Calls);
        Assert.True(JsonDocument.Parse(File.ReadAllText(Path.Combine(_directory.FullName, "weir-admin.json"))).RootElement.TryGetProperty("pid", out _));
        AdminFile.Delete(_directory.FullName);
        Assert.Null(AdminFile.Read(_directory.FullName));
    }

    [Fact]
    public async Task A_store_that_is_held_without_an_address_is_asked_at_admin_listen()
    {
        await using var server = await StartAdminAsync();
        _backend.OpenError = new StoreException("the store is open in process 7", isHeld: true);
        var config = $"clickhouse: {{ embedded: {_directory.FullName} }}\nadmin: {{ listen: 127.0.0.1:{server.Url.Port} }}";

        Assert.Equal(0, await RunAsync("query", "SELECT 1", "-c", Config(config)));
        Assert.Equal("from the run: SELECT 1", Encoding.UTF8.GetString(_outputBytes.ToArray()));

        await server.DisposeAsync();
        Assert.Equal(1, await RunAsync("query", "SELECT 1", "-c", Config(config)));
        Assert.Contains("the store is open in process 7; and no admin endpoint answers at http://127.0.0.1:", _error.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_query_of_a_store_that_is_not_there_makes_none()
    {
        var absent = Path.Combine(_directory.FullName, "absent");

        Assert.Equal(1, await RunAsync("query", "SELECT 1", "-c", Config($"clickhouse: {{ embedded: {absent} }}")));

        Assert.False(Directory.Exists(absent));
        Assert.Contains("no embedded store at", _error.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_broker_writes_its_address_when_it_is_ready_and_stops_at_a_signal()
    {
        var file = Path.Combine(_directory.FullName, "port");
        _backend.BrokerStarted = () => _shutdown!.Receive(PosixSignal.SIGTERM);

        Assert.Equal(0, await RunAsync("broker", "--port-file", file, "--topic", "flows:4", "--topic", "a.b:1", "--session-timeout", "45s"));

        Assert.Equal(["broker flows/4 a.b/1, session 45s", "stop"], _backend.Calls);
        Assert.Equal("127.0.0.1:4711\n", _output.ToString());
        Assert.Contains("In memory, for trying out and tests only", _error.ToString(), StringComparison.Ordinal);
        Assert.False(File.Exists(file));
    }

    [Fact]
    public async Task The_demo_takes_its_time_and_its_file_and_gives_its_code_back()
    {
        Assert.Equal(1, await RunAsync("demo", "--seconds", "5", "--json", "out.json"));
        Assert.Equal(["demo 5 out.json"], _backend.Calls);
    }

    public void Dispose()
    {
        _directory.Delete(recursive: true);
        _output.Dispose();
        _outputBytes.Dispose();
        _error.Dispose();
    }

    private static async Task<AdminServer> StartAdminAsync()
    {
        var server = new AdminServer(new AdminOptions { Listen = new IPEndPoint(IPAddress.Loopback, 0) }, "test", new AdminSources
        {
            Metrics = [],
            Queues = () => [],
            Positions = () => [],
            Health = () => new HealthReport([], []),
            Account = () => default(BlockAccount),
            Query = async (sql, _, output, cancel) => await output.WriteAsync(Encoding.UTF8.GetBytes($"from the run: {sql}"), cancel),
        });
        await server.StartAsync(CancellationToken.None);
        return server;
    }

    private static string[] Lines(StringWriter writer) => writer.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries);

    private string Config(string yaml)
    {
        var path = Path.Combine(_directory.FullName, $"weir-{Guid.NewGuid():N}.yaml");
        File.WriteAllText(path, yaml);
        return path;
    }

    private async Task<int> RunAsync(params string[] args)
    {
        _output.GetStringBuilder().Clear();
        _outputBytes.SetLength(0);
        _error.GetStringBuilder().Clear();
        using var shutdown = new ShutdownSignal(_ => { });
        _shutdown = shutdown;
        var context = new CommandContext
        {
            Output = _output,
            OutputStream = _outputBytes,
            Error = _error,
            Environment = _environment,
            IsOutputTerminal = _isTerminal,
            OpenShutdownSignal = () => shutdown,
        };
        return await WeirProgram.RunAsync(args, context, _backend);
    }
}
