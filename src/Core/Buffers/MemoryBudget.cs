namespace Weir.Core.Buffers;

/// <summary>The bytes that rows, chunks and waiting blocks may hold together; when they are used up, reading pauses.</summary>
/// <remarks>
/// Any thread. The budget is advice for those who ask before they read more: memory that a step in progress needs is given
/// even above the limit, so the limit is exceeded by what one chunk or one cut adds.
/// </remarks>
public sealed class MemoryBudget(long limitBytes)
{
    private long _usedBytes;
    private long _usedBytesMax;

    /// <summary>The limit.</summary>
    public long LimitBytes { get; } = limitBytes;

    /// <summary>Bytes in use now.</summary>
    public long UsedBytes => Volatile.Read(ref _usedBytes);

    /// <summary>Most bytes in use since the start.</summary>
    public long UsedBytesMax => Volatile.Read(ref _usedBytesMax);

    /// <summary>True when reading has to wait for memory to come back.</summary>
    public bool IsExhausted => UsedBytes >= LimitBytes;

    /// <summary>Takes <paramref name="bytes"/>, or gives them back when negative.</summary>
    public void Add(long bytes)
    {
        var used = Interlocked.Add(ref _usedBytes, bytes);
        var max = UsedBytesMax;
        while (used > max)
        {
            var seen = Interlocked.CompareExchange(ref _usedBytesMax, used, max);
            if (seen == max)
            {
                return;
            }

            max = seen;
        }
    }
}
