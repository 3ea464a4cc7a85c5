using System.CommandLine;
using Weir.Codecs.Flow;
using Weir.Loadgen.Generate;
using Weir.Loadgen.Kafka;
using Weir.Loadgen.Reports;
using Weir.Loadgen.Shadow;

namespace Weir.Loadgen.Commands;

/// <summary><c>weir-loadgen soak</c>: hours of generate → weir → audit with faults at random.</summary>
internal static class SoakCommand
{
    private const string Topic = "flows";
    private const string Description = """
        Makes records for hours, lets a weir store them while faults happen, and proves the end. Faults: weir is killed, stopped, frozen; the
        broker is frozen; with --clickhouse a proxy answers with errors, cuts connections, answers late, and, where weir promises exactly
        once, loses answers; and any command of your own (--fault), such as one that kills the server and starts it again.

        At the end every view must hold exactly what the generator made, and weir audit must find nothing. Exit 0 when that is so, or
        when weir promised no more than at least once and nothing was lost. Examples:
          weir-loadgen soak --for 8h --rate 50000 --report soak.html
          weir-loadgen soak --for 10m --fault-every 20s --seed 7 --format goflow2
          weir-loadgen soak --for 1h -c weir.yaml --clickhouse http://127.0.0.1:8123 \
            --fault "ClickHouse killed=systemctl kill -s KILL clickhouse-server; systemctl start clickhouse-server"
        """;

    private static readonly Option<string> _for = CommandOptions.Of("--for", "how long records are made", "1h");
    private static readonly Option<double> _rate = CommandOptions.Of("--rate", "records a second", 20_000.0);
    private static readonly Option<string> _shape = CommandOptions.Of("--shape", "shape of the rate, as in generate", "steady");
    private static readonly Option<string> _format = CommandOptions.Of("--format", string.Join(" | ", FlowFormats.Names), "weir");
    private static readonly Option<int> _series = CommandOptions.Of("--series", "series that exist at a time", 20_000);
    private static readonly Option<int> _partitions = CommandOptions.Of("--partitions", "partitions of the topic", 8);
    private static readonly Option<ulong> _seed = CommandOptions.Of("--seed", "seed of records and faults", 1UL);
    private static readonly Option<string> _faultEvery = CommandOptions.Of("--fault-every", "mean time between faults; 0s for none", "60s");
    private static readonly Option<string?> _config =
        CommandOptions.Of<string>(
            "-c", "configuration; its broker, topics, group, database and admin address are replaced. Views must be the standard ones");
    private static readonly Option<string?> _clickHouse =
        CommandOptions.Of<string>(
            "--clickhouse", "address of a ClickHouse server, database weir_loadgen_soak (default: an embedded store)");
    private static readonly Option<string[]> _faults = new("--fault")
    {
        Description = "a fault of your own: a name, and a command of the shell that ends with 0 when it is over; may be given several times",
        HelpName = "NAME=COMMAND",
        DefaultValueFactory = _ => [],
    };

    private static readonly Option<string?> _weir =
        CommandOptions.Of<string>("--weir", "the weir program (default: the one beside this program)");
    private static readonly Option<string?> _report = CommandOptions.Of<string>("--report", "write a report: .md or .html");
    private static readonly Option<bool> _json = CommandOptions.Json();

    /// <summary>The command with its options.</summary>
    public static Command Create()
    {
        var command = new Command("soak", Description)
        {
            _for, _rate, _shape, _format, _series, _partitions, _seed, _faultEvery, _config, _clickHouse, _faults, _weir, _report, _json,
        };
        command.SetAction((arguments, cancellation) => CommandOptions.GuardAsync(() => RunAsync(arguments, cancellation)));
        return command;
    }

    private static async Task<int> RunAsync(ParseResult arguments, CancellationToken cancellation)
    {
        var program = WeirProgram.Find(arguments.GetValue(_weir));
        var directory = Directory.CreateTempSubdirectory("weir-soak-");
        try
        {
            var partitions = arguments.GetValue(_partitions);
            var (broker, bootstrap) =
                await WeirProgram.StartBrokerAsync(program, directory.FullName, [$"{Topic}:{partitions}"], cancellation);
            using (broker)
            {
                await using var proxy = arguments.GetValue(_clickHouse) is { } server ? new FaultProxy(new Uri(server)) : null;
                using var weir = new WeirPipeline(new PipelineOptions
                {
                    Name = "soak", Program = program, ConfigFile = arguments.GetValue(_config), Directory =
                        Path.Combine(directory.FullName, "weir"),
                    ClickHouseUrl = proxy?.Url.ToString(), Bootstrap = bootstrap, Topic = Topic, Format =
                        arguments.GetValue(_format)!,
                });
                using var producer =
                    new TopicProducer(new ProducerOptions { Bootstrap = bootstrap, Topic = Topic }, weir.Positions.ReadAsync);
                var generator = new Generator(new GeneratorOptions
                {
                    StartSecond = DateTimeOffset.UtcNow.ToUnixTimeSeconds(), Format = arguments.GetValue(_format)!, Seed =
                        arguments.GetValue(_seed),
                    PartitionCount = partitions, SeriesCount = arguments.GetValue(_series), RecordsPerMessage = 200, ChurnPerSecond = 0.01,
                    LateShare = 0.0005, FutureShare = 0.0005, MalformedShare = 0.001, OutOfOrderShare = 0.02, SkewedAgentShare = 0.1,
                    Rate = RateShape.Parse(arguments.GetValue(_shape)!, arguments.GetValue(_rate)),
                });
                var run = new SoakRun(weir, broker, producer, generator, proxy, new SoakOptions
                {
                    Duration = CommandOptions.Duration("--for", arguments.GetValue(_for)!),
                    FaultEvery = CommandOptions.Duration("--fault-every", arguments.GetValue(_faultEvery)!),
                    Seed = arguments.GetValue(_seed),
                    Commands = [.. arguments.GetValue(_faults)!.Select(ReadFault)],
                }) { Say = Console.Error.WriteLine };
                var result = await run.RunAsync(cancellation);
                Console.Out.WriteLine(arguments.GetValue(_json) ? ToJson(result) : ReportOf(result).ToMarkdown());
                if (arguments.GetValue(_report) is { } path)
                {
                    ReportOf(result).Write(path);
                }

                return result.IsAsPromised ? 0 : 1;
            }
        }
        finally
        {
            directory.Delete(recursive: true);
        }
    }

    private static (string Name, string Command) ReadFault(string text) =>
        text.IndexOf('=', StringComparison.Ordinal) is > 0 and var equals && equals < text.Length - 1
            ? (text[..equals], text[(equals + 1)..])
            : throw new ArgumentException($"--fault is '{text}'; allowed: a name, =, and a command");

    private static Report ReportOf(SoakResult result)
    {
        var report = new Report("Soak");
        report.Text(CommandOptions.Text(
            $"{result.Totals.RecordCount:N0} records in {(result.Samples.Count > 0 ? result.Samples[^1].At : 0):0} s, {result.Faults.Count} faults. {Verdict(result)}"));
        report.Text(result.IsExactlyOnce
            ? "weir promised that a block that is sent again is stored once."
            : "weir promised at least once: where an answer is lost, by a killed server for instance, a block may count twice.");
        report.Heading("Views against what was made");
        report.Table([
            (string[])["view", "records made", "records stored", "all meters"],
            .. result.Views.Select(
                view => (string[])[view.View, view.Expected.Split('\t')[0], view.Stored.Split('\t')[0], view.IsEqual ? "equal"
                    : "different"])]);
        report.Text(CommandOptions.Text(
            $"Rejected as meant: {result.Totals.MalformedCount:N0}; late as meant: {result.Totals.LateCount:N0}; out of order: {result.Totals.OutOfOrderCount:N0}."));
        var marks = result.Faults.Select(fault => (fault.At, fault.What)).ToList();
        var rates = result.Samples.Zip(
            result.Samples.Skip(1), (one, two) => (two.At, (two.SentRecords - one.SentRecords) / Math.Max(two.At - one.At, 1e-3))).ToList();
        report.Heading("While it ran");
        report.Plot("Records sent a second, over seconds; red lines are faults", [new PlotLine("records/s", rates)], marks);
        report.Plot("Freshness, s; below 0 where agents' clocks are ahead", [new PlotLine("freshness", Points(result, sample => sample.Freshness))], marks);
        report.Plot("Lag, messages", [new PlotLine("lag", Points(result, sample => sample.LagMessages))], marks);
        report.Plot("Memory of weir, MiB", [new PlotLine("resident", Points(result, sample => sample.ResidentBytes / 1048576.0))], marks);
        report.Heading("Faults");
        report.Table([(string[])["second", "what"],
            .. result.Faults.Select(fault => (string[])[CommandOptions.Text($"{fault.At:0.0}"), fault.What])]);
        report.Heading("weir audit");
        report.Code(result.AuditJson);
        return report;
    }

    private static string Verdict(SoakResult result) => result switch
    {
        { IsExact: true } => "Every view holds exactly what was made, and the audit finds nothing.",
        { IsAsPromised: true } => "Nothing was lost, and something counts twice: that is what at least once means.",
        { Problem: { } problem } => $"The end was not reached: {problem}.",
        _ => CommandOptions.Text(
            $"NOT exact: {result.Views.Count(view => !view.IsEqual)} views differ, weir audit ended with {result.AuditCode}."),
    };

    private static List<(double X, double Y)> Points(SoakResult result, Func<SoakSample, double> read) =>
        [.. result.Samples.Select(sample => (sample.At, read(sample))).Where(point => double.IsFinite(point.Item2))];

    private static string ToJson(SoakResult result) => CommandOptions.ToJson(json =>
    {
        json.WriteBoolean("exact", result.IsExact);
        json.WriteBoolean("as_promised", result.IsAsPromised);
        json.WriteBoolean("exactly_once", result.IsExactlyOnce);
        json.WriteString("problem", result.Problem);
        json.WriteNumber("records", result.Totals.RecordCount);
        json.WriteNumber("faults", result.Faults.Count);
        json.WriteNumber("audit_exit_code", result.AuditCode);
        json.WriteStartArray("views");
        foreach (var view in result.Views)
        {
            json.WriteStartObject();
            json.WriteString("view", view.View);
            json.WriteBoolean("equal", view.IsEqual);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    });
}
