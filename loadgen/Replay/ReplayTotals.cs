namespace Weir.Loadgen.Replay;

/// <summary>Records and their meters.</summary>
public readonly record struct FlowSums(long RecordCount, long PacketCount, long ByteCount)
{
    /// <summary>Adds two sums.</summary>
    public static FlowSums operator +(FlowSums left, FlowSums right) =>
        new(left.RecordCount + right.RecordCount, left.PacketCount + right.PacketCount, left.ByteCount + right.ByteCount);

    /// <summary>Adds two sums.</summary>
    public static FlowSums Add(FlowSums left, FlowSums right) => left + right;
}

/// <summary>What the broker has acknowledged so far, and what it has not taken.</summary>
/// <param name="Elapsed">Since the first message was sent.</param>
/// <param name="MessageCount">Messages acknowledged.</param>
/// <param name="MessageBytes">Bytes of those messages, before compression.</param>
/// <param name="Sums">Records acknowledged and their meters.</param>
/// <param name="Protocols">The same by protocol, as the records name it.</param>
/// <param name="FailedRecordCount">Records in messages that the broker did not take, after all retries.</param>
public sealed record ReplayTotals(
    TimeSpan Elapsed,
    long MessageCount,
    long MessageBytes,
    FlowSums Sums,
    IReadOnlyDictionary<string, FlowSums> Protocols,
    long FailedRecordCount)
{
    /// <summary>Acknowledged records a second, over the whole run.</summary>
    public double RecordsPerSecond => Elapsed > TimeSpan.Zero ? Sums.RecordCount / Elapsed.TotalSeconds : 0;
}
