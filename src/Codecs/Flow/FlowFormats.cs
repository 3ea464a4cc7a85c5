using Weir.Core.Buffers;
using Weir.Core.Model;

namespace Weir.Codecs.Flow;

/// <summary>The formats of flow records by the names that the configuration uses.</summary>
public static class FlowFormats
{
    /// <summary>All names.</summary>
    public static IReadOnlyList<string> Names { get; } = ["pmacct-json", "goflow2", "goflow2-json", "weir-proto", "weir"];

    /// <summary>Makes a decoder that fills records of <paramref name="schema"/>.</summary>
    /// <param name="format">One of <see cref="Names"/>.</param>
    /// <param name="schema">The tags and meters to fill.</param>
    /// <param name="budget">Charged with what the decoder keeps; null for none.</param>
    /// <exception cref="ArgumentException">
    /// No format of that name, or the schema has a tag or meter that is not standard and names no source.
    /// </exception>
    public static FlowDecoder Create(string format, StreamSchema schema, MemoryBudget? budget = null) => format switch
    {
        "pmacct-json" => new PmacctJsonDecoder(schema),
        "goflow2" => new Goflow2Decoder(schema),
        "goflow2-json" => new Goflow2JsonDecoder(schema),
        "weir-proto" => new WeirProtoDecoder(schema, budget: budget),
        "weir" => new WeirBatchDecoder(schema),
        _ => throw new ArgumentException($"There is no format {format}; there are {string.Join(", ", Names)}.", nameof(format)),
    };
}
