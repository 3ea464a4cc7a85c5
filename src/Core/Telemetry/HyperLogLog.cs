using System.Numerics;

namespace Weir.Core.Telemetry;

/// <summary>Estimates how many distinct values were added, with a standard error of 3 %, in 1 KiB.</summary>
/// <remarks>One thread, or its owner's lock. Flajolet and others, 2007, with linear counting for small numbers.</remarks>
public sealed class HyperLogLog
{
    private const int IndexBits = 10;
    private const int RegisterCount = 1 << IndexBits;
    private const double Alpha = 0.7213 / (1 + (1.079 / RegisterCount));

    private readonly byte[] _registers = new byte[RegisterCount];

    /// <summary>Adds a value by its hash, whose bits must be evenly spread.</summary>
    public void Add(ulong hash)
    {
        ref var register = ref _registers[hash >> (64 - IndexBits)];
        var rank = (byte)(BitOperations.LeadingZeroCount((hash << IndexBits) | 1) + 1);
        register = Math.Max(register, rank);
    }

    /// <summary>Adds everything that was added to <paramref name="other"/>.</summary>
    public void Merge(HyperLogLog other)
    {
        for (var index = 0; index < RegisterCount; index++)
        {
            _registers[index] = Math.Max(_registers[index], other._registers[index]);
        }
    }

    /// <summary>Forgets everything.</summary>
    public void Clear() => Array.Clear(_registers);

    /// <summary>The estimate.</summary>
    public long Estimate()
    {
        var sum = 0.0;
        var zeroCount = 0;
        foreach (var register in _registers)
        {
            sum += Math.ScaleB(1, -register);
            zeroCount += register == 0 ? 1 : 0;
        }

        var estimate = Alpha * RegisterCount * RegisterCount / sum;
        return (long)Math.Round(estimate <= 2.5 * RegisterCount && zeroCount > 0
            ? RegisterCount * Math.Log((double)RegisterCount / zeroCount)
            : estimate);
    }
}
