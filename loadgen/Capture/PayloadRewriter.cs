using Weir.Loadgen.Generate;

namespace Weir.Loadgen.Capture;

/// <summary>Rewrites the records of a message in its own format, and splits a message by tag set.</summary>
/// <remarks>One thread; memory is kept from message to message.</remarks>
public abstract class PayloadRewriter
{
    /// <summary>The rewriter of a format.</summary>
    /// <exception cref="ArgumentException">Messages of that format can't be rewritten.</exception>
    public static PayloadRewriter Create(string format) => format switch
    {
        "pmacct-json" or "goflow2-json" => new JsonRewriter(format),
        "goflow2" => new Goflow2Rewriter(),
        "weir-proto" => new WeirProtoRewriter(),
        "weir" => new WeirBatchRewriter(),
        _ => throw new ArgumentException($"Messages of the format {format} can't be rewritten.", nameof(format)),
    };

    /// <summary>The message with its records changed.</summary>
    /// <returns>The new value. A message that can't be read comes back as it is, but where it would leak what is to be hidden: as
    /// zeros.</returns>
    public abstract byte[] Rewrite(byte[] value, Rewriting how);

    /// <summary>Splits a message by the tags of the view edge (source, destination, port, protocol, exporter).</summary>
    /// <returns>The parts by the partition that the hash of their tags chooses; null when it can't be read.</returns>
    public abstract IReadOnlyList<KeyValuePair<int, byte[]>>? Split(byte[] value, int partitionCount);

    /// <summary>The partition of a hash.</summary>
    private protected static int PartitionOf(ulong hash, int partitionCount) => (int)Math.BigMul(hash, (ulong)partitionCount, out _);

    /// <summary>Collects parts by partition, in the order of the first record of each.</summary>
    private protected sealed class Parts
    {
        private readonly SortedDictionary<int, ByteText> _parts = [];

        public ByteText Of(int partition)
        {
            if (!_parts.TryGetValue(partition, out var part))
            {
                _parts.Add(partition, part = new ByteText());
            }

            return part;
        }

        public IReadOnlyList<KeyValuePair<int, byte[]>> Take() =>
            [.. _parts.Select(part => new KeyValuePair<int, byte[]>(part.Key, part.Value.Written.ToArray()))];
    }
}
