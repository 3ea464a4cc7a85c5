using Weir.Tests.Support;
using Xunit;

namespace Weir.Tests.EndToEnd;

/// <summary>A broker process, a directory, and the configurations of the <c>weir run</c> processes of one test; all gone with it.</summary>
internal sealed class PipelineBed : IDisposable
{
    /// <summary>Properties of librdkafka by which members come and go fast.</summary>
    public const string FastGroup = "session.timeout.ms: 3000, heartbeat.interval.ms: 200";

    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("weir-e2e-");
    private readonly List<WeirRun> _runs = [];
    private readonly Dictionary<(string Topic, int Partition), long> _produced = [];
    private readonly ProgramProcess _broker;
    private int _configCount;

    private PipelineBed(string[] brokerArguments)
    {
        PortFile = Path.Combine(_directory.FullName, "port");
        _broker = ProgramProcess.Start(_directory.FullName, null, ["broker", "--port-file", PortFile, .. brokerArguments]);
    }

    /// <summary>The broker.</summary>
    public KafkaBroker Kafka { get; private set; } = null!;

    /// <summary>Where files of the test go.</summary>
    public string DirectoryPath => _directory.FullName;

    /// <summary>Messages produced through <see cref="Produce"/>, by topic and partition.</summary>
    public IReadOnlyDictionary<(string Topic, int Partition), long> Produced => _produced;

    private string PortFile { get; }

    /// <summary>Starts <c>weir broker</c>.</summary>
    /// <param name="topics">Such as flows:3.</param>
    public static Task<PipelineBed> StartAsync(params string[] topics) => StartBrokerAsync([.. topics.SelectMany(Topic)]);

    /// <summary>Starts <c>weir broker</c>, whose members with <c>group.protocol: consumer</c> may be silent for a time.</summary>
    /// <param name="topic">Such as flows:3.</param>
    /// <param name="session">How long.</param>
    public static Task<PipelineBed> StartAsync(string topic, TimeSpan session) =>
        StartBrokerAsync([.. Topic(topic), "--session-timeout", $"{(int)session.TotalSeconds}s"]);

    /// <summary>Produces messages, spread over the partitions of the topic in turn.</summary>
    public void Produce(string topic, int partitionCount, IEnumerable<byte[]> messages)
    {
        var placed = messages
            .Select((message, index) => (Partition: index % partitionCount, Value: (byte[]?)message, Time: (DateTimeOffset?)null))
            .ToList();
        Kafka.Produce(topic, placed);
        foreach (var partition in placed.GroupBy(message => message.Partition))
        {
            AddProduced(topic, partition.Key, partition.Count());
        }
    }

    /// <summary>Counts messages that were produced in another way.</summary>
    public void AddProduced(string topic, int partition, long count) =>
        _produced[(topic, partition)] = _produced.GetValueOrDefault((topic, partition)) + count;

    /// <summary>The <c>clickhouse</c> keys of a new embedded store in the directory of the test.</summary>
    public string Embedded(string name = "store") => $"embedded: {Path.Combine(_directory.FullName, name)}";

    /// <summary>A configuration with the intervals of a test, in a file of its own.</summary>
    /// <param name="clickHouse">Keys of the section clickhouse.</param>
    /// <param name="topics">Such as flows: weir.</param>
    /// <param name="group">The consumer group.</param>
    /// <param name="more">Further sections.</param>
    /// <param name="groupOptions">How the process is a member of its group.</param>
    public string Configure(
        string clickHouse, (string Topic, string Format)[] topics, string group = "e2e", string more = "", string groupOptions = FastGroup)
    {
        var path = Path.Combine(_directory.FullName, $"weir-{++_configCount}.yaml");
        File.WriteAllText(path, $$"""
            kafka:
              bootstrap: {{Kafka.Bootstrap}}
              group: {{group}}
              topics: [ {{string.Join(", ", topics.Select(topic => $"{{ name: {topic.Topic}, format: {topic.Format} }}"))}} ]
              options: { fetch.wait.max.ms: 10, {{groupOptions}} }
            clickhouse: { {{clickHouse}} }
            flush: { interval: 500ms }
            admin: { listen: "127.0.0.1:0" }
            {{more}}
            """);
        return path;
    }

    /// <summary>Starts <c>weir run</c>.</summary>
    /// <param name="configFile">From <see cref="Configure"/>.</param>
    /// <param name="environment">Options that differ from the file, such as WEIR__AGGREGATION__WORKERS.</param>
    public async Task<WeirRun> RunAsync(string configFile, params (string Name, string Value)[] environment)
    {
        var run = await WeirRun.StartAsync(
            _directory.FullName, configFile, environment.ToDictionary(variable => variable.Name, variable => variable.Value));
        _runs.Add(run);
        return run;
    }

    /// <summary>Waits until all is stored that <see cref="Produce"/> has produced.</summary>
    public Task StoredAsync(WeirRun run, params WeirRun[] others) => run.StoredAsync(_produced, others);

    /// <summary>Kills what still runs and deletes the directory.</summary>
    public void Dispose()
    {
        _runs.ForEach(run => run.Dispose());
        Kafka?.Dispose();
        _broker.Dispose();
        _directory.Delete(recursive: true);
    }

    /// <summary>Fails unless the run stops by itself with code 0.</summary>
    public static async Task AssertStopsAsync(WeirRun run) => Assert.True(await run.StopAsync() == 0, run.Process.ErrorText);

    private static string[] Topic(string topic) => ["--topic", topic];

    private static async Task<PipelineBed> StartBrokerAsync(string[] brokerArguments)
    {
        var bed = new PipelineBed(brokerArguments);
        try
        {
            await Eventually.TrueAsync(
                () => Task.FromResult(File.Exists(bed.PortFile) || bed._broker.HasExited),
                () => $"the broker is ready; it said {bed._broker.ErrorText}");
            bed.Kafka = KafkaBroker.At((await File.ReadAllTextAsync(bed.PortFile)).Trim());
            return bed;
        }
        catch
        {
            bed.Dispose();
            throw;
        }
    }
}
