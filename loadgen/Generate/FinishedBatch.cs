using Weir.Loadgen.Capture;
using Weir.Loadgen.CodecChoice;

namespace Weir.Loadgen.Generate;

/// <summary>A record batch as a broker stores it, made once and sent any number of times.</summary>
/// <param name="Partition">Where it goes.</param>
/// <param name="Bytes">Its bytes, compressed, with their checksum.</param>
/// <param name="Totals">What its records add up to, sent once.</param>
public sealed record FinishedBatch(int Partition, byte[] Bytes, GeneratedTotals Totals)
{
    /// <summary>Bytes of a batch before compression. Half of what brokers take unless told otherwise.</summary>
    public const int RawBytesMax = 512 * 1024;

    private const long BytesMax = 1L << 30;

    /// <summary>Records in it, bad ones among them.</summary>
    public long RecordCount => Totals.RecordCount;

    /// <summary>Makes records and packs their messages into batches, each of one partition.</summary>
    /// <param name="options">What records; the same options make the same batches.</param>
    /// <param name="recordCount">How many records.</param>
    /// <param name="codec">none, gzip, snappy, lz4 or zstd.</param>
    /// <param name="level">Level of the codec; null for its usual one.</param>
    /// <param name="cancellation">Stops it.</param>
    /// <exception cref="ArgumentException">The batches would take more than 1 GiB of memory.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public static IReadOnlyList<FinishedBatch> Make(
        GeneratorOptions options, long recordCount, string codec, int? level, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(options);
        var batches = new List<FinishedBatch>();
        var open = new OpenBatch[options.PartitionCount];
        long bytes = 0;
        void Close(int partition)
        {
            batches.Add(new FinishedBatch(partition, open[partition].Messages.FinishForBroker(codec, level), open[partition].Totals));
            bytes += batches[^1].Bytes.Length;
            open[partition].Totals = new GeneratedTotals(options.CountsRows);
            if (bytes > BytesMax)
            {
                throw new ArgumentException($"--loop {recordCount}: the batches take more than 1 GiB; fewer records, or --codec zstd");
            }
        }

        for (var partition = 0; partition < open.Length; partition++)
        {
            open[partition] = new OpenBatch(new RecordBatchBuilder(RawBytesMax)) { Totals = new GeneratedTotals(options.CountsRows) };
        }

        foreach (var message in new Generator(options).Messages(recordCount))
        {
            cancellation.ThrowIfCancellationRequested();
            var to = open[message.Partition];
            var captured = new CapturedMessage(0, message.Partition, 0, message.TimestampMs, 1, null, message.Value, []);
            if (!to.Messages.TryAdd(captured))
            {
                Close(message.Partition);
                to.Messages.TryAdd(captured);
            }

            to.Totals.Add(message.Totals, 1);
        }

        for (var partition = 0; partition < open.Length; partition++)
        {
            if (open[partition].Messages.MessageCount > 0)
            {
                Close(partition);
            }
        }

        return batches;
    }

    private sealed class OpenBatch(RecordBatchBuilder messages)
    {
        public RecordBatchBuilder Messages { get; } = messages;

        public required GeneratedTotals Totals { get; set; }
    }
}
