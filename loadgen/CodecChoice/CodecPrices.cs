namespace Weir.Loadgen.CodecChoice;

/// <summary>What bytes and CPU time cost the user.</summary>
public sealed record CodecPrices
{
    /// <summary>A core for an hour.</summary>
    public double CpuHour { get; init; } = 0.04;

    /// <summary>A GB (10^9 bytes) over the network, each time it goes over it.</summary>
    public double NetworkGb { get; init; } = 0.01;

    /// <summary>A GB on a broker's disk for 30 days.</summary>
    public double DiskGbMonth { get; init; } = 0.10;

    /// <summary>Consumer groups that read all.</summary>
    public int Consumers { get; init; } = 1;

    /// <summary>Replicas of a partition.</summary>
    public int Replicas { get; init; } = 3;

    /// <summary>Days that a broker keeps messages.</summary>
    public double RetentionDays { get; init; } = 3;

    /// <summary>What a million messages cost with a codec.</summary>
    public double PerMillion(CodecResult result)
    {
        ArgumentNullException.ThrowIfNull(result);
        var gigabytes = (double)result.CompressedBytes / Math.Max(result.MessageCount, 1) * 1e6 / 1e9;
        var network = gigabytes * NetworkGb * (Replicas + Consumers); // To the leader, to the other replicas, to the consumers.
        var disk = gigabytes * DiskGbMonth * Replicas * RetentionDays / 30;
        var cpu = (result.CompressPerMillion + (result.DecompressPerMillion * Consumers)) / 3_600 * CpuHour;
        return network + disk + cpu;
    }
}
