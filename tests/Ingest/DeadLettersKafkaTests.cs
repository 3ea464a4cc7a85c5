using System.Text;
using Confluent.Kafka;
using Weir.Core.Model;
using Weir.Host;
using Weir.Host.Commands;
using Weir.Ingest;
using Weir.Tests.Support;
using Xunit;

namespace Weir.Tests.Ingest;

/// <summary>Dead letters through a real broker and back.</summary>
[Collection(AloneCollection.Name)]
public sealed class DeadLettersKafkaTests : IDisposable
{
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("weir-letters-");
    private readonly StringWriter _output = new();
    private readonly MemoryStream _outputBytes = new();
    private readonly StringWriter _error = new();

    [RealPartFact(RealPart.LocalRdkafka)]
    public async Task Letters_of_a_topic_are_shown_and_fed_in_once_to_where_they_came_from()
    {
        using var broker = KafkaBroker.Start(new Dictionary<string, int> { ["flows"] = 2, ["dead"] = 1 });
        var options = new IngestOptions { Bootstrap = broker.Bootstrap, DeadLetters = new DeadLetterOptions { Topic = "dead" } };
        var errors = new List<string?>();
        using (var store = new TopicDeadLetters(options, "dead"))
        {
            store.Write(Letter(5, "{\"first\": 1}"), errors.Add);
            store.Write(Letter(5, "{\"first\": 1}"), errors.Add); // Its range was read again.
            store.Write(Letter(6, "{\"mixed\": 1}") with { MessageRecordCount = 2 }, errors.Add);
            store.Write(Letter(7, "{\"second\": 1}"), errors.Add);
            store.Flush(TimeSpan.FromSeconds(30));
        }

        Assert.Equal([null, null, null, null], errors);
        var config = Path.Combine(_directory.FullName, "weir.yaml");
        await File.WriteAllTextAsync(
            config,
            $"kafka: {{ bootstrap: \"{broker.Bootstrap}\", options: {{ fetch.wait.max.ms: 10 }} }}\ndead_letters: {{ topic: dead }}");

        Assert.Equal((0, ""), (await RunAsync("deadletters", "show", "-c", config, "--limit", "1"), ErrorOf("1 shown")));
        Assert.Equal(
            "flows/1 offset 5 2023-11-14 22:13:20.000 UTC: time_missing; record 1 of 1 did not decode: time_missing; 12 bytes\n    {\"first\": 1}\n",
            _output.ToString());

        Assert.Equal((0, ""), (await RunAsync("deadletters", "replay", "-c", config, "--limit", "1"), ErrorOf("1 fed in again")));
        Assert.Equal((0, ""), (await RunAsync("deadletters", "replay", "-c", config), ErrorOf("1 fed in again; left out: 1 written twice, 1 cut")));
        Assert.Equal((0, ""), (await RunAsync("deadletters", "replay", "-c", config), ErrorOf("0 fed in again")));

        var replayed = Consume(broker, "flows", 1, 2);
        Assert.Equal(["{\"first\": 1}", "{\"second\": 1}"], replayed.Select(message => Encoding.ASCII.GetString(message.Value)).Order());
        Assert.All(replayed, message => Assert.Equal(1_700_000_000_000, message.Timestamp.UnixTimestampMs));
        Assert.Contains("flows/1/7/0", replayed.Select(message => Encoding.ASCII.GetString(message.Headers.GetLastBytes("weir-replayed"))));
    }

    [RealPartFact(RealPart.LocalRdkafka)]
    public async Task Letters_of_a_directory_are_fed_into_another_topic()
    {
        using var broker = KafkaBroker.Start(new Dictionary<string, int> { ["flows"] = 1, ["other"] = 1 });
        using (var store = new DirectoryDeadLetters(_directory.FullName, 1L << 30, TimeProvider.System))
        {
            store.Write(Letter(5, "{}"), Assert.Null);
        }

        var config = Path.Combine(_directory.FullName, "weir.yaml");
        await File.WriteAllTextAsync(config, $"kafka: {{ bootstrap: \"{broker.Bootstrap}\" }}");

        Assert.Equal(1, await RunAsync("deadletters", "replay", "-c", config));
        Assert.Contains("neither dead_letters.topic nor dead_letters.directory", _error.ToString(), StringComparison.Ordinal);
        Assert.Equal(2, await RunAsync("deadletters", "replay", "-c", config, "--from", "nowhere"));
        Assert.Equal(0, await RunAsync("deadletters", "replay", "-c", config, "--from", $"directory:{_directory.FullName}", "--to", "other"));
        Assert.Equal("{}", Encoding.ASCII.GetString(Assert.Single(Consume(broker, "other", 0, 1)).Value));
    }

    public void Dispose()
    {
        _directory.Delete(recursive: true);
        _output.Dispose();
        _outputBytes.Dispose();
        _error.Dispose();
    }

    private static DeadLetter Letter(long offset, string value) => new(
        new PartitionKey("flows", value.Length > 2 ? 1 : 0), offset, 1_700_000_000_000, "time_missing", 0, 1, 1, true, value.Length, Encoding.ASCII.GetBytes(value));

    private static List<Message<Ignore, byte[]>> Consume(KafkaBroker broker, string topic, int partition, int count)
    {
        using var consumer = new ConsumerBuilder<Ignore, byte[]>(
            new ConsumerConfig(KafkaBroker.QuickProperties()) { BootstrapServers = broker.Bootstrap, GroupId = "reader" }).Build();
        consumer.Assign(new TopicPartitionOffset(topic, partition, Offset.Beginning));
        var messages = new List<Message<Ignore, byte[]>>();
        Eventually.True(
            () =>
            {
                if (consumer.Consume(TimeSpan.FromMilliseconds(100)) is { Message: { } message })
                {
                    messages.Add(message);
                }

                return messages.Count >= count;
            },
            "the messages");
        return messages;
    }

    /// <summary>Empty when the errors hold a text, else all of them.</summary>
    private string ErrorOf(string expected) => _error.ToString().Contains(expected, StringComparison.Ordinal) ? "" : _error.ToString();

    private Task<int> RunAsync(params string[] args)
    {
        _output.GetStringBuilder().Clear();
        _error.GetStringBuilder().Clear();
        var context = new CommandContext
        {
            Output = _output,
            OutputStream = _outputBytes,
            Error = _error,
            Environment = new Dictionary<string, string>(),
            OpenShutdownSignal = () => new ShutdownSignal(_ => { }),
        };
        return WeirProgram.RunAsync(args, context, new WeirBackend());
    }
}
