using System.Reflection;
using System.Runtime.InteropServices;
using Confluent.Kafka;

namespace Weir.Ingest;

/// <summary>The few calls of librdkafka that Confluent.Kafka does not offer, on the very library that it has loaded.</summary>
/// <remarks>
/// Batches from a queue of one's own cost 0.2 µs a message and no garbage; <c>Consume()</c> costs 0.55 to 1.1 µs and 205 to
/// 420 bytes. Group membership and commits go on through Confluent.Kafka's consumer beside it.
/// </remarks>
internal static unsafe partial class KafkaNative
{
    /// <summary>RD_KAFKA_RESP_ERR__BAD_COMPRESSION: a batch that is damaged, or too large when it is decompressed.</summary>
    internal const int BadCompression = -198;

    private const string LibraryName = "librdkafka";

    static KafkaNative() => NativeLibrary.SetDllImportResolver(typeof(KafkaNative).Assembly, Resolve);

    /// <summary>Checks that client and native library belong together; a private library that is missing falls back to a system one silently.</summary>
    /// <exception cref="InvalidOperationException">They differ; the message says how to mend it.</exception>
    public static void CheckVersion()
    {
        var client = typeof(Library).Assembly.GetName().Version!.ToString(fieldCount: 3);
        var native = Library.VersionString;
        if (native != client)
        {
            throw new InvalidOperationException(
                $"Confluent.Kafka {client} has loaded librdkafka {native}, which it does not fit. Run scripts/setup.sh, which "
                + $"installs or builds librdkafka {client} beside the program, and build again.");
        }
    }

    /// <summary>The <c>rd_kafka_t*</c> behind a client. It lives as long as the client.</summary>
    /// <exception cref="InvalidOperationException">This version of Confluent.Kafka keeps it elsewhere.</exception>
    public static nint HandleOf(IClient client)
    {
        var property = typeof(Handle).GetProperty("LibrdkafkaHandle", BindingFlags.Instance | BindingFlags.NonPublic);
        if (property?.GetValue(client.Handle) is SafeHandle { IsInvalid: false, IsClosed: false } handle)
        {
            return handle.DangerousGetHandle();
        }

        throw new InvalidOperationException(
            $"Confluent.Kafka {typeof(Library).Assembly.GetName().Version} has no Handle.LibrdkafkaHandle; use the version in "
            + "Directory.Packages.props.");
    }

    /// <summary>A message, as <c>rdkafka.h</c> lays it out. The fields are part of librdkafka's ABI.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct Message
    {
        /// <summary>0, or the code of an error, which <see cref="Payload"/> then describes.</summary>
        public int ErrorCode;

        /// <summary>Handle of the topic.</summary>
        public nint Topic;

        /// <summary>Partition.</summary>
        public int Partition;

        /// <summary>Value.</summary>
        public byte* Payload;

        /// <summary>Length of the value.</summary>
        public nuint PayloadBytes;

        /// <summary>Key.</summary>
        public byte* Key;

        /// <summary>Length of the key.</summary>
        public nuint KeyBytes;

        /// <summary>Offset.</summary>
        public long Offset;
    }

    [LibraryImport(LibraryName, EntryPoint = "rd_kafka_queue_new")]
    internal static partial nint QueueNew(nint client);

    [LibraryImport(LibraryName, EntryPoint = "rd_kafka_queue_destroy")]
    internal static partial void QueueDestroy(nint queue);

    [LibraryImport(LibraryName, EntryPoint = "rd_kafka_queue_get_partition", StringMarshalling = StringMarshalling.Utf8)]
    internal static partial nint QueueGetPartition(nint client, string topic, int partition);

    [LibraryImport(LibraryName, EntryPoint = "rd_kafka_queue_forward")]
    internal static partial void QueueForward(nint source, nint destination);

    [LibraryImport(LibraryName, EntryPoint = "rd_kafka_consume_batch_queue")]
    internal static partial nint ConsumeBatchQueue(nint queue, int timeoutMs, Message** messages, nuint size);

    [LibraryImport(LibraryName, EntryPoint = "rd_kafka_message_destroy")]
    internal static partial void MessageDestroy(Message* message);

    /// <summary>Reads a field of the message: short and without locks, so the thread need not change its GC mode.</summary>
    [LibraryImport(LibraryName, EntryPoint = "rd_kafka_message_timestamp")]
    [SuppressGCTransition]
    internal static partial long MessageTimestamp(Message* message, int* type);

    [LibraryImport(LibraryName, EntryPoint = "rd_kafka_topic_new", StringMarshalling = StringMarshalling.Utf8)]
    internal static partial nint TopicNew(nint client, string topic, nint configuration);

    [LibraryImport(LibraryName, EntryPoint = "rd_kafka_topic_destroy")]
    internal static partial void TopicDestroy(nint topic);

    [LibraryImport(LibraryName, EntryPoint = "rd_kafka_topic_name")]
    internal static partial nint TopicName(nint topic);

    [LibraryImport(LibraryName, EntryPoint = "rd_kafka_err2str")]
    internal static partial nint ErrorText(int code);

    [LibraryImport(LibraryName, EntryPoint = "rd_kafka_conf_new")]
    internal static partial nint ConfigurationNew();

    [LibraryImport(LibraryName, EntryPoint = "rd_kafka_conf_set", StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int ConfigurationSet(nint configuration, string name, string value, byte* error, nuint errorBytes);

    [LibraryImport(LibraryName, EntryPoint = "rd_kafka_new")]
    internal static partial nint ClientNew(int type, nint configuration, byte* error, nuint errorBytes);

    [LibraryImport(LibraryName, EntryPoint = "rd_kafka_destroy")]
    internal static partial void ClientDestroy(nint client);

    [LibraryImport(LibraryName, EntryPoint = "rd_kafka_mock_cluster_new")]
    internal static partial nint MockClusterNew(nint client, int brokerCount);

    [LibraryImport(LibraryName, EntryPoint = "rd_kafka_mock_cluster_destroy")]
    internal static partial void MockClusterDestroy(nint cluster);

    [LibraryImport(LibraryName, EntryPoint = "rd_kafka_mock_cluster_bootstraps")]
    internal static partial nint MockClusterBootstraps(nint cluster);

    [LibraryImport(LibraryName, EntryPoint = "rd_kafka_mock_topic_create", StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int MockTopicCreate(nint cluster, string topic, int partitionCount, int replicationFactor);

    [LibraryImport(LibraryName, EntryPoint = "rd_kafka_mock_group_initial_rebalance_delay_ms")]
    internal static partial void MockGroupInitialRebalanceDelay(nint cluster, int delayMs);

    [LibraryImport(LibraryName, EntryPoint = "rd_kafka_mock_set_group_consumer_session_timeout_ms")]
    internal static partial void MockGroupConsumerSessionTimeout(nint cluster, int timeoutMs);

    [LibraryImport(LibraryName, EntryPoint = "rd_kafka_mock_set_group_consumer_heartbeat_interval_ms")]
    internal static partial void MockGroupConsumerHeartbeatInterval(nint cluster, int intervalMs);

    [LibraryImport(LibraryName, EntryPoint = "rd_kafka_mock_push_request_errors_array")]
    internal static partial void MockPushRequestErrors(nint cluster, short apiKey, nuint count, int* errors);

    [LibraryImport(LibraryName, EntryPoint = "rd_kafka_mock_clear_request_errors")]
    internal static partial void MockClearRequestErrors(nint cluster, short apiKey);

    [LibraryImport(LibraryName, EntryPoint = "rd_kafka_mock_broker_set_down")]
    internal static partial int MockBrokerSetDown(nint cluster, int brokerId);

    [LibraryImport(LibraryName, EntryPoint = "rd_kafka_mock_broker_set_up")]
    internal static partial int MockBrokerSetUp(nint cluster, int brokerId);

    [LibraryImport(LibraryName, EntryPoint = "rd_kafka_mock_broker_set_rtt")]
    internal static partial int MockBrokerSetRoundTrip(nint cluster, int brokerId, int roundTripMs);

    [LibraryImport(LibraryName, EntryPoint = "rd_kafka_mock_partition_delete_records", StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int MockPartitionDeleteRecords(nint cluster, string topic, int partition, long beforeOffset);

    [LibraryImport(LibraryName, EntryPoint = "rd_kafka_mock_start_request_tracking")]
    internal static partial void MockStartRequestTracking(nint cluster);

    [LibraryImport(LibraryName, EntryPoint = "rd_kafka_mock_get_requests")]
    internal static partial nint* MockGetRequests(nint cluster, nuint* count);

    [LibraryImport(LibraryName, EntryPoint = "rd_kafka_mock_request_api_key")]
    internal static partial short MockRequestApiKey(nint request);

    [LibraryImport(LibraryName, EntryPoint = "rd_kafka_mock_request_destroy_array")]
    internal static partial void MockRequestDestroyArray(nint* requests, nuint count);

    /// <summary>
    /// Confluent.Kafka picks one of several builds of the library for the system it runs on. Its delegates tell which: the
    /// same name, looked up for its assembly, gives the module that is loaded already.
    /// </summary>
    internal static nint LoadedLibrary()
    {
        _ = Library.Version; // Loads it.
        return NativeLibrary.Load(LoadedLibraryName(), typeof(Library).Assembly, searchPath: null);
    }

    private static nint Resolve(string name, Assembly assembly, DllImportSearchPath? searchPath) =>
        name == LibraryName ? LoadedLibrary() : 0;

    private static string LoadedLibraryName()
    {
        var delegates = typeof(Library).Assembly.GetType("Confluent.Kafka.Impl.Librdkafka")?
            .GetFields(BindingFlags.Static | BindingFlags.NonPublic | BindingFlags.Public) ?? [];
        foreach (var field in delegates)
        {
            if (field.FieldType.IsSubclassOf(typeof(Delegate))
                && (field.GetValue(null) as Delegate)?.Method.DeclaringType?.GetField("DllName") is { IsLiteral: true } dllName
                && dllName.GetRawConstantValue() is string loaded)
            {
                return loaded;
            }
        }

        return LibraryName; // What it is called beside the program on all systems but Alpine and old CentOS.
    }
}
