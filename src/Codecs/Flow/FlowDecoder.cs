using Weir.Core.Model;

namespace Weir.Codecs.Flow;

/// <summary>Turns the payload of a message into records.</summary>
/// <remarks>One object for each ingest worker and topic; it may keep scratch memory. One thread.</remarks>
public abstract class FlowDecoder
{
    /// <summary>Decodes <paramref name="payload"/> into <paramref name="sink"/>. Bad input is rejected there; never throws for it.</summary>
    /// <param name="payload">The message's value; empty for a tombstone.</param>
    /// <param name="sink">Gets the records.</param>
    public abstract void Decode(ReadOnlySpan<byte> payload, RecordSink sink);
}
