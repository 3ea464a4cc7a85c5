using System.Runtime.InteropServices;
using System.Text;

namespace Weir.Ingest;

/// <summary>A Kafka broker for trying out and for tests: librdkafka's mock cluster, in this process, on a free port of 127.0.0.1.</summary>
/// <remarks>
/// <para>
/// It speaks the real protocol over TCP, so agents, kcat and other consumers connect to it. <b>It is in memory and not
/// durable:</b> it keeps at most 5 MiB (as stored, so compressed) and 100,000 batches for each partition, older ones go, and
/// with the process everything goes.
/// </para>
/// <para>Any thread may call it; one disposes it, after its users.</para>
/// </remarks>
public sealed unsafe class EmbeddedBroker : IDisposable
{
    /// <summary>Bytes that the broker keeps for each partition, as stored; fixed in librdkafka.</summary>
    public const long PartitionBytesMax = 5 * 1024 * 1024;

    private const int ProducerClient = 0; // RD_KAFKA_PRODUCER
    private const int ErrorTextBytes = 512;
    private const int BrokerId = 1;

    // With the newer group protocol the broker decides how soon a dead member is found. Here nobody waits for long.
    private static readonly TimeSpan _consumerSessionTimeout = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan _consumerHeartbeatInterval = TimeSpan.FromMilliseconds(300);

    private readonly nint _client;
    private readonly nint _cluster;
    private bool _isDisposed;

    private EmbeddedBroker(nint client, nint cluster)
    {
        _client = client;
        _cluster = cluster;
        Bootstrap = Marshal.PtrToStringUTF8(KafkaNative.MockClusterBootstraps(cluster))!;
    }

    /// <summary><c>127.0.0.1:PORT</c>, for <c>bootstrap.servers</c>.</summary>
    public string Bootstrap { get; }

    /// <summary>Starts a broker.</summary>
    /// <param name="topics">Topics to make, with their partitions. Others are made with 4 partitions when somebody writes to them.</param>
    /// <param name="rebalanceDelay">
    /// How long the first member of a new group waits for more; default 100 ms. A later member waits for about the group's session time-out.
    /// </param>
    /// <exception cref="InvalidOperationException">librdkafka is missing or of another version, or refused; the message says why.</exception>
    public static EmbeddedBroker Start(IReadOnlyDictionary<string, int> topics, TimeSpan? rebalanceDelay = null)
    {
        KafkaNative.CheckVersion();
        var error = stackalloc byte[ErrorTextBytes];
        var configuration = KafkaNative.ConfigurationNew();
        _ = KafkaNative.ConfigurationSet(configuration, "log_level", "3", error, ErrorTextBytes); // Errors only: it logs to stderr.
        var client = KafkaNative.ClientNew(ProducerClient, configuration, error, ErrorTextBytes);
        if (client == 0)
        {
            throw new InvalidOperationException($"The embedded broker did not start: {ErrorText(error)}.");
        }

        var cluster = SignalMask.WithoutSignals(() => KafkaNative.MockClusterNew(client, brokerCount: 1));
        if (cluster == 0)
        {
            KafkaNative.ClientDestroy(client);
            throw new InvalidOperationException("The embedded broker did not start: no port of 127.0.0.1 could be opened.");
        }

        var broker = new EmbeddedBroker(client, cluster);
        KafkaNative.MockGroupInitialRebalanceDelay(cluster, (int)(rebalanceDelay ?? TimeSpan.FromMilliseconds(100)).TotalMilliseconds);
        broker.SetConsumerSession(_consumerSessionTimeout);
        try
        {
            foreach (var (topic, partitionCount) in topics)
            {
                broker.CreateTopic(topic, partitionCount);
            }
        }
        catch (InvalidOperationException)
        {
            broker.Dispose();
            throw;
        }

        return broker;
    }

    /// <summary>Makes a topic.</summary>
    /// <exception cref="InvalidOperationException">It exists already, or the broker refused it.</exception>
    public void CreateTopic(string topic, int partitionCount)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(partitionCount, 1);
        ThrowIfRefused(KafkaNative.MockTopicCreate(_cluster, topic, partitionCount, replicationFactor: 1), $"topic {topic}");
    }

    /// <summary>Sets how long a member of <c>group.protocol=consumer</c> may be silent before its partitions go to others; 3 s by default.</summary>
    public void SetConsumerSession(TimeSpan timeout) => SetConsumerSession(timeout, _consumerHeartbeatInterval);

    /// <summary>Stops the broker; its data is gone.</summary>
    public void Dispose()
    {
        if (!_isDisposed)
        {
            _isDisposed = true;
            KafkaNative.MockClusterDestroy(_cluster);
            KafkaNative.ClientDestroy(_client);
        }
    }

    /// <summary>Makes the broker answer the next requests of a kind with errors.</summary>
    /// <param name="apiKey">Kafka's number of the request: 1 Fetch, 3 Metadata, 8 OffsetCommit, 9 OffsetFetch, ….</param>
    /// <param name="errorCodes">One for each request, as Kafka numbers them; −195 closes the connection instead.</param>
    internal void PushRequestErrors(short apiKey, params int[] errorCodes)
    {
        fixed (int* codes = errorCodes)
        {
            KafkaNative.MockPushRequestErrors(_cluster, apiKey, (nuint)errorCodes.Length, codes);
        }
    }

    /// <summary>Forgets the errors of <see cref="PushRequestErrors"/> that were not yet given.</summary>
    internal void ClearRequestErrors(short apiKey) => KafkaNative.MockClearRequestErrors(_cluster, apiKey);

    /// <summary>Closes the broker's port and connections; its data and port stay.</summary>
    internal void SetDown() => ThrowIfRefused(KafkaNative.MockBrokerSetDown(_cluster, BrokerId), "going down");

    /// <summary>Opens the port again.</summary>
    internal void SetUp() => ThrowIfRefused(KafkaNative.MockBrokerSetUp(_cluster, BrokerId), "coming up");

    /// <summary>Sets what the broker decides for members of <c>group.protocol=consumer</c>: how long one may be silent, and its heartbeat.</summary>
    internal void SetConsumerSession(TimeSpan timeout, TimeSpan heartbeatInterval)
    {
        KafkaNative.MockGroupConsumerSessionTimeout(_cluster, (int)timeout.TotalMilliseconds);
        KafkaNative.MockGroupConsumerHeartbeatInterval(_cluster, (int)heartbeatInterval.TotalMilliseconds);
    }

    /// <summary>Makes each answer take <paramref name="roundTrip"/>.</summary>
    internal void SetRoundTrip(TimeSpan roundTrip) =>
        ThrowIfRefused(KafkaNative.MockBrokerSetRoundTrip(_cluster, BrokerId, (int)roundTrip.TotalMilliseconds), "a round trip");

    /// <summary>Begins to note the requests that come, for <see cref="CountRequests"/>.</summary>
    internal void TrackRequests() => KafkaNative.MockStartRequestTracking(_cluster);

    /// <summary>Requests of a kind that came since <see cref="TrackRequests"/>.</summary>
    internal int CountRequests(short apiKey)
    {
        nuint requestCount;
        var requests = KafkaNative.MockGetRequests(_cluster, &requestCount);
        var count = 0;
        for (nuint index = 0; index < requestCount; index++)
        {
            count += KafkaNative.MockRequestApiKey(requests[index]) == apiKey ? 1 : 0;
        }

        KafkaNative.MockRequestDestroyArray(requests, requestCount);
        return count;
    }

    /// <summary>Deletes the messages before an offset, as retention does.</summary>
    internal void DeleteBefore(string topic, int partition, long offset) =>
        ThrowIfRefused(KafkaNative.MockPartitionDeleteRecords(_cluster, topic, partition, offset), "deleting messages");

    private static void ThrowIfRefused(int code, string what)
    {
        if (code != 0)
        {
            throw new InvalidOperationException(
                $"The embedded broker refused {what}: {Marshal.PtrToStringUTF8(KafkaNative.ErrorText(code))}.");
        }
    }

    private static string ErrorText(byte* text) =>
        Encoding.UTF8.GetString(MemoryMarshal.CreateReadOnlySpanFromNullTerminated(text));
}
