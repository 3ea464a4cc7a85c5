using Weir.Bench.Flows;
using Weir.Loadgen.Capture;
using Weir.Loadgen.CodecChoice;
using Weir.Loadgen.Kafka;

namespace Weir.Bench.Processes;

/// <summary>Fills the broker's partitions with batches and keeps them so far ahead of the consumer as the broker can hold.</summary>
/// <remarks>The embedded broker keeps 5 MiB a partition; what is older goes, read or not. One thread.</remarks>
internal sealed class Feeder : IDisposable
{
    /// <summary>Partitions of the topic.</summary>
    public const int PartitionCount = 16;

    /// <summary>The topic.</summary>
    public const string Topic = "flows";

    private const int RawBytesPerBatch = 512 * 1024;
    private const string Codec = "lz4";
    private const long AheadBytesMax = 3_500_000;

    /// <summary>Each question costs the consumer's admin endpoint some tenths of a millisecond, so there are not many.</summary>
    private static readonly TimeSpan _pollInterval = TimeSpan.FromMilliseconds(25);

    private readonly BatchSender _sender;
    private readonly List<(byte[] Bytes, int MessageCount, int RecordCount)> _batches = [];
    private readonly Queue<(long EndOffset, int Bytes)>[] _ahead =
        [.. Enumerable.Range(0, PartitionCount).Select(_ => new Queue<(long, int)>())];
    private readonly long[] _aheadBytes = new long[PartitionCount];
    private int _nextBatch;
    private int _nextPartition;

    /// <summary>Makes the batches.</summary>
    /// <param name="bootstrap">The broker.</param>
    /// <param name="flows">The records.</param>
    /// <param name="format">Their format.</param>
    public Feeder(string bootstrap, FlowSet flows, string format)
    {
        _sender = new BatchSender(bootstrap, Topic);
        var messages = flows.Messages(format);
        var timestampMs = (long)flows.Records[0].TimeSeconds * 1000;
        var perBatch = Math.Max(1, RawBytesPerBatch / messages[0].Length);
        for (var from = 0; from < messages.Length; from += perBatch)
        {
            var values = messages[from..Math.Min(from + perBatch, messages.Length)];
            var recordCount = Math.Min(values.Length * FlowSet.RecordsPerMessage, flows.Count - (from * FlowSet.RecordsPerMessage));
            _batches.Add((Finish(values, timestampMs), values.Length, recordCount));
        }
    }

    /// <summary>Records that the broker has taken.</summary>
    public long SentCount { get; private set; }

    /// <summary>Messages that they lie in.</summary>
    public long SentMessageCount { get; private set; }

    /// <summary>Bytes that it has taken, as stored.</summary>
    public long SentBytes { get; private set; }

    /// <summary>Sends for a while.</summary>
    /// <param name="positions">Where the consumer is.</param>
    /// <param name="isOver">True when it is enough.</param>
    public void Run(Func<IReadOnlyDictionary<int, long>> positions, Func<bool> isOver)
    {
        while (!isOver())
        {
            foreach (var (partition, nextOffset) in positions())
            {
                Passed(partition, nextOffset);
            }

            Fill();
            Thread.Sleep(_pollInterval);
        }
    }

    /// <summary>Fills every partition up to what it may be ahead.</summary>
    public void Fill()
    {
        for (var partition = 0; partition < PartitionCount; partition++)
        {
            var batch = _batches[_nextBatch];
            while (_aheadBytes[partition] + batch.Bytes.Length <= AheadBytesMax)
            {
                var offset = _sender.Send(partition, batch.Bytes);
                _ahead[partition].Enqueue((offset + batch.MessageCount, batch.Bytes.Length));
                _aheadBytes[partition] += batch.Bytes.Length;
                SentCount += batch.RecordCount;
                SentMessageCount += batch.MessageCount;
                SentBytes += batch.Bytes.Length;
                _nextBatch = (_nextBatch + 1) % _batches.Count;
                batch = _batches[_nextBatch];
            }
        }
    }

    /// <summary>Sends one batch, to the partitions in turn: for a load so light that the consumer follows.</summary>
    public void SendOne()
    {
        var batch = _batches[_nextBatch];
        _ = _sender.Send(_nextPartition, batch.Bytes);
        _nextPartition = (_nextPartition + 1) % PartitionCount;
        _nextBatch = (_nextBatch + 1) % _batches.Count;
    }

    public void Dispose() => _sender.Dispose();

    /// <summary>Made once and sent again and again, feeding costs next to nothing: the machine's cores are for the broker and for
    /// Weir.</summary>
    private static byte[] Finish(byte[][] values, long timestampMs)
    {
        var batch = new RecordBatchBuilder(int.MaxValue);
        foreach (var value in values)
        {
            _ = batch.TryAdd(new CapturedMessage(0, 0, 0, timestampMs, 1, null, value, []));
        }

        return batch.FinishForBroker(Codec, level: null);
    }

    private void Passed(int partition, long nextOffset)
    {
        while (_ahead[partition].TryPeek(out var batch) && batch.EndOffset <= nextOffset)
        {
            _ = _ahead[partition].Dequeue();
            _aheadBytes[partition] -= batch.Bytes;
        }
    }
}
