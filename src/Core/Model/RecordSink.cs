namespace Weir.Core.Model;

/// <summary>Where a decoder puts the records of a message, one after another, without a copy in between.</summary>
/// <remarks>
/// <para>
/// For each record the decoder writes its time, tags and meters at <see cref="Row"/>, in the layout of
/// <see cref="StreamSchema"/>, and then calls <see cref="Accept"/>, or <see cref="Reject"/> when the record turns out bad. The
/// row is all zeros when the decoder gets it. The tag hash and the meter <c>records</c> are not the decoder's: the sink fills them.
/// </para>
/// <para>One thread, that of the ingest worker. <see cref="Row"/> and <see cref="Strings"/> change with each call.</para>
/// </remarks>
public abstract unsafe class RecordSink
{
    /// <summary>The zeroed row of the next record.</summary>
    public byte* Row { get; protected set; }

    /// <summary>The string tags of the cut that the next record belongs to.</summary>
    public StringDictionary Strings { get; protected set; } = null!;

    /// <summary>Records that carried a sampling rate of 0, which means unknown and was taken as 1. The decoder counts.</summary>
    public long SamplingUnknownCount { get; set; }

    /// <summary>Messages or lines that are markers of the agent, such as pmacct's <c>purge_init</c>, not records. The decoder counts.</summary>
    public long MarkerCount { get; set; }

    /// <summary>The record at <see cref="Row"/> is complete.</summary>
    public abstract void Accept();

    /// <summary>The record at <see cref="Row"/>, or what should have been one, is bad.</summary>
    /// <param name="status">Why; not <see cref="DecodeStatus.Ok"/>.</param>
    /// <param name="evidence">The bytes of the record, for the dead letters; may be the whole message.</param>
    public abstract void Reject(DecodeStatus status, ReadOnlySpan<byte> evidence);
}
