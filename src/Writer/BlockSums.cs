using System.Collections.Immutable;

namespace Weir.Writer;

/// <summary>What the rows of a block add up to; the ledger keeps it, and an audit compares it with the table.</summary>
/// <param name="Records">Sum of the meter <c>records</c>.</param>
/// <param name="Packets">Sum of the meter <c>packets</c>, modulo 2^64; 0 where the view does not have it.</param>
/// <param name="Bytes">Sum of the meter <c>bytes</c>, modulo 2^64; 0 where the view does not have it.</param>
/// <param name="Days">The same by UTC day of the rows' time, in order. A retention drops whole days, and the audit sets them apart.</param>
public sealed record BlockSums(ulong Records, ulong Packets, ulong Bytes, ImmutableArray<BlockDay> Days);

/// <summary>The part of a block's sums that belongs to one UTC day.</summary>
/// <param name="Day">Days since 1970-01-01.</param>
/// <param name="Records">Sum of <c>records</c>.</param>
/// <param name="Packets">Sum of <c>packets</c>.</param>
/// <param name="Bytes">Sum of <c>bytes</c>.</param>
public readonly record struct BlockDay(int Day, ulong Records, ulong Packets, ulong Bytes);
