using System.Diagnostics;

namespace Weir.Core.Model;

/// <summary>Where a decoder puts the records of a message, one after another or in blocks, without a copy in between.</summary>
/// <remarks>
/// <para>
/// For each record the decoder writes its time, tags and meters at <see cref="Row"/>, in the layout of
/// <see cref="StreamSchema"/>, and then calls <see cref="Accept"/>, or <see cref="Reject"/> when the record turns out bad. The
/// row is all zeros when the decoder gets it. The tag hash and the meter <c>records</c> are not the decoder's: the sink fills them.
/// </para>
/// <para>
/// A decoder that makes many records writes up to <see cref="RowCapacity"/> rows one behind the other and hands them over with one
/// <see cref="AcceptRows"/>. Only the first of them is zeroed: of the others it writes every byte behind the tag hash itself. Before
/// it rejects a record it hands over those that came before it.
/// </para>
/// <para>One thread, that of the ingest worker. <see cref="Row"/> and <see cref="Strings"/> change with each call.</para>
/// </remarks>
public abstract unsafe class RecordSink
{
    /// <summary>The zeroed row of the next record.</summary>
    public byte* Row { get; protected set; }

    /// <summary>Rows that may be written from <see cref="Row"/> on, 1 or more.</summary>
    public int RowCapacity { get; protected set; } = 1;

    /// <summary>The string tags of the cut that the next record belongs to.</summary>
    public StringDictionary Strings { get; protected set; } = null!;

    /// <summary>Records that carried a sampling rate of 0, which means unknown and was taken as 1. The decoder counts.</summary>
    public long SamplingUnknownCount { get; set; }

    /// <summary>Messages or lines that are markers of the agent, such as pmacct's <c>purge_init</c>, not records. The decoder counts.</summary>
    public long MarkerCount { get; set; }

    /// <summary>The record at <see cref="Row"/> is complete.</summary>
    public abstract void Accept();

    /// <summary>The first <paramref name="count"/> rows at <see cref="Row"/> are complete.</summary>
    /// <param name="count">1 to <see cref="RowCapacity"/>.</param>
    /// <param name="isHashed">
    /// True when the decoder has put the hash of the tag set (<see cref="RecordHash"/>) in front of each row, because it knew it already.
    /// </param>
    public virtual void AcceptRows(int count, bool isHashed)
    {
        Debug.Assert(count == 1, "A sink with room for more has a method of its own.");
        *(ulong*)Row = 0;
        Accept();
    }

    /// <summary>The record at <see cref="Row"/>, or what should have been one, is bad.</summary>
    /// <param name="status">Why; not <see cref="DecodeStatus.Ok"/>.</param>
    /// <param name="evidence">The bytes of the record, for the dead letters; may be the whole message.</param>
    public abstract void Reject(DecodeStatus status, ReadOnlySpan<byte> evidence);
}
