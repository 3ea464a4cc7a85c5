using System.Buffers.Binary;
using System.Net.Sockets;
using System.Text;

namespace Weir.Bench.Processes;

/// <summary>Sends finished batches to a broker: Kafka's Produce request, version 7, one at a time.</summary>
/// <remarks>One thread. The broker leads all partitions, as the embedded one does.</remarks>
internal sealed class BatchSender : IDisposable
{
    private const short ProduceApi = 0;
    private const short ProduceVersion = 7;
    private const short LeaderOnly = 1;
    private const int TimeoutMs = 30_000;

    private readonly TcpClient _client;
    private readonly NetworkStream _stream;
    private readonly byte[] _topic;
    private readonly byte[] _clientId = "weir-bench"u8.ToArray();
    private readonly MemoryStream _head = new();
    private int _correlation;

    /// <summary>Connects.</summary>
    public BatchSender(string bootstrap, string topic)
    {
        var colon = bootstrap.LastIndexOf(':');
        _client = new TcpClient { NoDelay = true };
        _client.Connect(bootstrap[..colon], int.Parse(bootstrap[(colon + 1)..], System.Globalization.CultureInfo.InvariantCulture));
        _stream = _client.GetStream();
        _topic = Encoding.ASCII.GetBytes(topic);
    }

    /// <summary>Stores a batch in a partition and waits until the broker has it.</summary>
    /// <returns>Its first offset.</returns>
    /// <exception cref="IOException">The broker refused it.</exception>
    public long Send(int partition, byte[] batch)
    {
        _head.SetLength(0);
        Write(0); // The size, set below.
        Write(ProduceApi);
        Write(ProduceVersion);
        Write(++_correlation);
        WriteText(_clientId);
        Write((short)-1); // No transaction.
        Write(LeaderOnly);
        Write(TimeoutMs);
        Write(1);
        WriteText(_topic);
        Write(1);
        Write(partition);
        Write(batch.Length);
        var head = _head.GetBuffer().AsSpan(0, (int)_head.Length);
        BinaryPrimitives.WriteInt32BigEndian(head, head.Length - sizeof(int) + batch.Length);
        _stream.Write(head);
        _stream.Write(batch);
        return ReadOffset();
    }

    public void Dispose()
    {
        _client.Dispose();
        _head.Dispose();
    }

    private long ReadOffset()
    {
        Span<byte> size = stackalloc byte[sizeof(int)];
        _stream.ReadExactly(size);
        var answer = new byte[BinaryPrimitives.ReadInt32BigEndian(size)];
        _stream.ReadExactly(answer);

        // Correlation, one topic: its name, one partition: number, error, offset, and what is not needed.
        var at = sizeof(int) + sizeof(int);
        at += sizeof(short) + BinaryPrimitives.ReadInt16BigEndian(answer.AsSpan(at)) + sizeof(int) + sizeof(int);
        var error = BinaryPrimitives.ReadInt16BigEndian(answer.AsSpan(at));
        return error == 0
            ? BinaryPrimitives.ReadInt64BigEndian(answer.AsSpan(at + sizeof(short)))
            : throw new IOException($"The broker refused a batch with error {error}.");
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
