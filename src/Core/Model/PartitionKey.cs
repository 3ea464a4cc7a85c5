namespace Weir.Core.Model;

/// <summary>A partition of a topic.</summary>
/// <param name="Topic">Kafka's topic name.</param>
/// <param name="Partition">Kafka's partition number.</param>
public readonly record struct PartitionKey(string Topic, int Partition)
{
    /// <summary><c>topic/partition</c>.</summary>
    public override string ToString() => $"{Topic}/{Partition}";
}
