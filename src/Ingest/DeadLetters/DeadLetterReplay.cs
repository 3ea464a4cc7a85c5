using System.Buffers;
using System.Globalization;
using System.Text;
using Confluent.Kafka;
using Weir.Core.Model;

namespace Weir.Ingest;

/// <summary>What a replay did.</summary>
/// <param name="ReplayedCount">Letters that were produced.</param>
/// <param name="RepeatedCount">Letters that tell of a record once more: a range that is read again writes its letters again.</param>
/// <param name="UnfitCount">Letters that cannot be fed in again without counting other records twice, or that were cut off.</param>
public readonly record struct ReplayReport(long ReplayedCount, long RepeatedCount, long UnfitCount);

/// <summary>Feeds dead letters into their topic again: the value as it was, the time of its message, and a header that tells.</summary>
/// <remarks>One thread. A crash between producing and keeping the place repeats at most <see cref="LettersPerCommit"/> letters.</remarks>
public sealed class DeadLetterReplay
{
    /// <summary>Header of a replayed message: where the record came from first.</summary>
    public const string ReplayedHeader = "weir-replayed";

    private const int LettersPerCommit = 500;

    /// <summary>Half of what the producer's queue holds.</summary>
    private const long BytesPerCommit = 32L << 20;

    private static readonly TimeSpan _flushTimeout = TimeSpan.FromSeconds(60);

    private readonly IngestOptions _options;
    private readonly string? _toTopic;
    private readonly HashSet<(PartitionKey Source, long Offset, int Record)> _seen = [];

    /// <summary>Makes a replay.</summary>
    /// <param name="options">The broker, and the formats of the topics.</param>
    /// <param name="toTopic">Where the records go; null for the topic that each came from.</param>
    public DeadLetterReplay(IngestOptions options, string? toTopic)
    {
        _options = options;
        _toTopic = toTopic;
    }

    /// <summary>Feeds letters in.</summary>
    /// <param name="reader">Where they are.</param>
    /// <param name="isFromStart">True for those that were replayed already as well.</param>
    /// <param name="lettersMax">Most letters that are produced.</param>
    /// <exception cref="KafkaException">A letter was not taken; those before the last commit are done with.</exception>
    public ReplayReport Run(DeadLetterReader reader, bool isFromStart, long lettersMax)
    {
        using var producer = TopicDeadLetters.ProducerOf(_options);
        var (replayed, repeated, unfit) = (0L, 0L, 0L);
        var (pending, pendingBytes) = (0, 0L);
        Error? failure = null;
        foreach (var (letter, isDone) in reader.Read())
        {
            var isFirst = _seen.Add((letter.Source, letter.Offset, letter.Record)); // Those that are done with are remembered as well.
            if (isDone && !isFromStart)
            {
                continue;
            }

            if (!isFirst)
            {
                repeated++;
            }
            else if (MessageOf(letter, FormatOf(letter)) is not { } value)
            {
                unfit++;
            }
            else
            {
                replayed++;
                pendingBytes += value.Length;
                producer.Produce(
                    TargetOf(letter),
                    Message(letter, value),
                    report => failure = report.Error.IsError ? report.Error : failure);
                if (replayed == lettersMax)
                {
                    break; // Before the next letter is read: what is read is done with.
                }
            }

            if (++pending == LettersPerCommit || pendingBytes > BytesPerCommit)
            {
                Commit();
            }
        }

        Commit();
        return new ReplayReport(replayed, repeated, unfit);

        void Commit()
        {
            (pending, pendingBytes) = (0, 0);
            if (producer.Flush(_flushTimeout) > 0 || failure is not null)
            {
                throw new KafkaException(failure ?? new Error(ErrorCode.Local_TimedOut));
            }

            reader.Commit();
        }
    }

    /// <summary>The message that holds the letter's records and no others; null when there is none.</summary>
    internal static byte[]? MessageOf(DeadLetter letter, string? format)
    {
        if (letter.IsCutOff || format is null)
        {
            return null;
        }

        if (letter.IsWhole)
        {
            return letter.RecordCount == letter.MessageRecordCount ? letter.Value.ToArray() : null;
        }

        return format switch
        {
            "weir-proto" => Framed("\x0a"u8, letter.Value.Span), // records = 1, length-delimited
            "goflow2" => Framed([], letter.Value.Span),
            "weir" => null, // A record of a column batch has no bytes of its own.
            _ => letter.Value.ToArray(),
        };
    }

    private static byte[] Framed(ReadOnlySpan<byte> tag, ReadOnlySpan<byte> record)
    {
        var output = new ArrayBufferWriter<byte>(record.Length + 8);
        output.Write(tag);
        var length = (uint)record.Length;
        for (; length >= 0x80; length >>= 7)
        {
            output.Write([(byte)(length | 0x80)]);
        }

        output.Write([(byte)length]);
        output.Write(record);
        return output.WrittenSpan.ToArray();
    }

    private string? FormatOf(DeadLetter letter) => _options.Topics.FirstOrDefault(topic => topic.Name == letter.Source.Topic)?.Format;

    private TopicPartition TargetOf(DeadLetter letter) => _toTopic is null
        ? new TopicPartition(letter.Source.Topic, letter.Source.Partition) // Where its series lives.
        : new TopicPartition(_toTopic, Partition.Any);

    private static Message<Null, byte[]> Message(DeadLetter letter, byte[] value)
    {
        var place = string.Create(CultureInfo.InvariantCulture, $"{letter.Source}/{letter.Offset}/{letter.Record}");
        var message = new Message<Null, byte[]> { Value = value, Headers = [new Header(ReplayedHeader, Encoding.UTF8.GetBytes(place))] };
        if (letter.TimestampMs >= 0)
        {
            message.Timestamp = new Timestamp(letter.TimestampMs, TimestampType.CreateTime); // What is late is decided by it.
        }

        return message;
    }
}
