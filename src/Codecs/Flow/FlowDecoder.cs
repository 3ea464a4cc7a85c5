using Weir.Core.Model;

namespace Weir.Codecs.Flow;

/// <summary>Turns the bytes of one Kafka message into flow records.</summary>
/// <remarks>
/// <para>
/// One object for each ingest worker and topic: it keeps scratch memory, and belongs to that worker's thread. It never throws on
/// bad input, never reads outside the payload, and allocates nothing for each record.
/// </para>
/// <para>
/// Whether a record is good does not depend on the views: the standard fields are checked even where no view uses them, and
/// stored where one does. What the fields mean is written in <c>FORMAT.md</c>.
/// </para>
/// </remarks>
public abstract class FlowDecoder
{
    /// <summary>
    /// Records of one message; what comes after them is rejected once, as <see cref="DecodeStatus.LengthOverLimit"/>. Sixteen times
    /// what fits a Kafka message of the default size (1 MiB) at 16 bytes a record.
    /// </summary>
    public const int RecordsPerMessageMax = 1 << 20;

    /// <summary>Decodes all records of a message into <paramref name="sink"/>.</summary>
    /// <param name="payload">The value of the Kafka message.</param>
    /// <param name="sink">Told of each record that decoded and of each one that did not.</param>
    public abstract void Decode(ReadOnlySpan<byte> payload, RecordSink sink);
}
