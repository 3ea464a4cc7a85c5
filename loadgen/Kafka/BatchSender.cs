using System.Buffers.Binary;
using System.Diagnostics;
using System.Net.Sockets;
using System.Text;
using Confluent.Kafka;

namespace Weir.Loadgen.Kafka;

/// <summary>Sends finished record batches to the leaders of a topic's partitions: Kafka's Produce request 7, one at a time.</summary>
/// <remarks>
/// One thread. Connections are plain, without TLS or a user. A batch that a leader refuses because it leads no more is sent to the new
/// one; a request that is not answered is not sent again, since the batch may have been stored.
/// </remarks>
internal sealed class BatchSender : IDisposable
{
    private const short ProduceApi = 0;
    private const short ProduceVersion = 7;
    private const short AllInSync = -1;
    private const int TimeoutMs = 30_000;
    private const int AnswerBytesMin = 32;
    private const int AnswerBytesMax = 64 * 1024;
    private const short NoError = 0;
    private const short LeaderNotAvailable = 5;
    private const short NotLeader = 6;
    private const short NotEnoughReplicas = 19;
    private static readonly TimeSpan _leaderTimeout = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan _leaderPause = TimeSpan.FromMilliseconds(100);

    private readonly string _bootstrap;
    private readonly string _topicName;
    private readonly byte[] _topic;
    private readonly byte[] _clientId = "weir-loadgen"u8.ToArray();
    private readonly Dictionary<(string Host, int Port), TcpClient> _connections = [];
    private readonly MemoryStream _head = new();
    private readonly byte[] _size = new byte[sizeof(int)];
    private (string Host, int Port)?[] _leaders = [];
    private byte[] _answer = new byte[256];
    private int _correlation;

    /// <summary>Asks who leads the partitions.</summary>
    /// <exception cref="KafkaException">There is no such topic, or no broker.</exception>
    public BatchSender(string bootstrap, string topic)
    {
        _bootstrap = bootstrap;
        _topicName = topic;
        _topic = Encoding.UTF8.GetBytes(topic);
        FindLeaders();
    }

    /// <summary>Partitions of the topic.</summary>
    public int PartitionCount => _leaders.Length;

    /// <summary>Stores a batch in a partition and waits until the broker has it.</summary>
    /// <returns>Its first offset.</returns>
    /// <exception cref="IOException">The broker refused it, or did not answer.</exception>
    public long Send(int partition, ReadOnlySpan<byte> batch)
    {
        var start = Stopwatch.GetTimestamp();
        while (true)
        {
            var (error, offset) = Exchange(partition, batch);
            if (error == NoError)
            {
                return offset;
            }

            if (error is not (LeaderNotAvailable or NotLeader or NotEnoughReplicas) || Stopwatch.GetElapsedTime(start) > _leaderTimeout)
            {
                throw new IOException($"The broker refused a batch of {_topicName} [{partition}]: {new Error((ErrorCode)error).Reason}");
            }

            Thread.Sleep(_leaderPause);
            FindLeaders();
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var connection in _connections.Values)
        {
            connection.Dispose();
        }

        _head.Dispose();
    }

    private void FindLeaders()
    {
        using var client = new AdminClientBuilder(Topics.Properties(_bootstrap, [])).SetLogHandler((_, _) => { }).Build();
        Topics.CountPartitions(client.Handle, _topicName); // Waits for a topic that is made by the question.
        var metadata = client.GetMetadata(_topicName, _leaderTimeout);
        var brokers = metadata.Brokers.ToDictionary(broker => broker.BrokerId, broker => (broker.Host, broker.Port));
        var partitions = metadata.Topics.Single().Partitions;
        _leaders = new (string, int)?[partitions.Count];
        foreach (var partition in partitions)
        {
            _leaders[partition.PartitionId] = brokers.TryGetValue(partition.Leader, out var leader) ? leader : null;
        }
    }

    private (short Error, long Offset) Exchange(int partition, ReadOnlySpan<byte> batch)
    {
        if ((uint)partition >= (uint)_leaders.Length)
        {
            throw new IOException($"{_topicName} has no partition {partition}.");
        }

        if (_leaders[partition] is not { } leader)
        {
            return (LeaderNotAvailable, 0);
        }

        var stream = Connect(leader);
        WriteHead(partition, batch.Length);
        try
        {
            stream.Write(_head.GetBuffer().AsSpan(0, (int)_head.Length));
            stream.Write(batch);
            return ReadAnswer(stream);
        }
        catch (IOException error)
        {
            throw new IOException($"The broker {leader.Host}:{leader.Port} did not answer: {error.Message}", error);
        }
    }

    private NetworkStream Connect((string Host, int Port) leader)
    {
        if (!_connections.TryGetValue(leader, out var connection))
        {
            connection = new TcpClient { NoDelay = true, ReceiveTimeout = TimeoutMs, SendTimeout = TimeoutMs };
            try
            {
                connection.Connect(leader.Host, leader.Port);
            }
            catch (SocketException error)
            {
                connection.Dispose();
                throw new IOException($"No connection to the broker {leader.Host}:{leader.Port}: {error.Message}", error);
            }

            _connections.Add(leader, connection);
        }

        return connection.GetStream();
    }

    private void WriteHead(int partition, int batchBytes)
    {
        _head.SetLength(0);
        Write(0); // The size, set below.
        Write(ProduceApi);
        Write(ProduceVersion);
        Write(++_correlation);
        WriteText(_clientId);
        Write((short)-1); // No transaction.
        Write(AllInSync);
        Write(TimeoutMs);
        Write(1);
        WriteText(_topic);
        Write(1);
        Write(partition);
        Write(batchBytes);
        BinaryPrimitives.WriteInt32BigEndian(_head.GetBuffer(), (int)_head.Length - sizeof(int) + batchBytes);
    }

    private (short Error, long Offset) ReadAnswer(NetworkStream stream)
    {
        stream.ReadExactly(_size);
        var length = BinaryPrimitives.ReadInt32BigEndian(_size);
        if (length is < AnswerBytesMin or > AnswerBytesMax)
        {
            throw new IOException($"{length} bytes are no answer to a batch");
        }

        if (length > _answer.Length)
        {
            _answer = new byte[length];
        }

        var answer = _answer.AsSpan(0, length);
        stream.ReadExactly(answer);

        // Correlation, one topic: its name, one partition: number, error, offset, and what is not needed.
        var at = sizeof(int) + sizeof(int);
        at += sizeof(short) + BinaryPrimitives.ReadInt16BigEndian(answer[at..]) + sizeof(int) + sizeof(int);
        if (at < 0 || at + sizeof(short) + sizeof(long) > length || BinaryPrimitives.ReadInt32BigEndian(answer) != _correlation)
        {
            throw new IOException("what came is no answer to this batch");
        }

        return (BinaryPrimitives.ReadInt16BigEndian(answer[at..]), BinaryPrimitives.ReadInt64BigEndian(answer[(at + sizeof(short))..]));
    }

    private void WriteText(byte[] text)
    {
        Write((short)text.Length);
        _head.Write(text);
    }

    private void Write(short value)
    {
        Span<byte> bytes = stackalloc byte[sizeof(short)];
        BinaryPrimitives.WriteInt16BigEndian(bytes, value);
        _head.Write(bytes);
    }

    private void Write(int value)
    {
        Span<byte> bytes = stackalloc byte[sizeof(int)];
        BinaryPrimitives.WriteInt32BigEndian(bytes, value);
        _head.Write(bytes);
    }
}
