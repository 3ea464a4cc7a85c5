using Weir.Codecs.Flow;

namespace Weir.Loadgen.Generate;

/// <summary>Collects records and gives them as the value of one Kafka message.</summary>
/// <remarks>One thread; memory is kept from message to message.</remarks>
internal abstract class FlowEncoder
{
    /// <summary>Records of the open message.</summary>
    public int Count { get; private set; }

    /// <summary>The encoder of a format.</summary>
    /// <param name="format">One of <see cref="FlowFormats.Names"/>.</param>
    /// <param name="recordsMax">Records that a message gets at most.</param>
    public static FlowEncoder Create(string format, int recordsMax) => format switch
    {
        "weir" => new WeirEncoder(recordsMax),
        "weir-proto" => new BufferEncoder(
            (ByteText to, in FlowRecord record, bool isMalformed) =>
            {
                if (isMalformed)
                {
                    WeirProtoWriter.Write(to, Timeless(record));
                }
                else
                {
                    WeirProtoWriter.Write(to, record);
                }
            }),
        "goflow2" => new BufferEncoder(
            (ByteText to, in FlowRecord record, bool isMalformed) =>
            {
                if (isMalformed)
                {
                    Goflow2Writer.Write(to, Timeless(record), isDelimited: true);
                }
                else
                {
                    Goflow2Writer.Write(to, record, isDelimited: true);
                }
            }),
        "goflow2-json" => new BufferEncoder(JsonFlowWriter.WriteGoflow2),
        "pmacct-json" => new BufferEncoder(JsonFlowWriter.WritePmacct),
        _ => throw new ArgumentException($"Records can't be made as {format}.", nameof(format)),
    };

    /// <summary>Adds a record.</summary>
    /// <param name="record">The record.</param>
    /// <param name="isMalformed">True for one that must not decode: without a time, or cut off where the format is text.</param>
    public void Add(in FlowRecord record, bool isMalformed)
    {
        Count++;
        Put(record, isMalformed);
    }

    /// <summary>The value; the encoder is empty then.</summary>
    public byte[] Finish()
    {
        Count = 0;
        return Take();
    }

    private protected abstract void Put(in FlowRecord record, bool isMalformed);

    private protected abstract byte[] Take();

    private static FlowRecord Timeless(in FlowRecord record)
    {
        var copy = record;
        copy.TimeSeconds = 0;
        copy.DurationMs = 0; // goflow2 takes the end of the flow for its time, where there is no begin.
        return copy;
    }

    private delegate void Write(ByteText to, in FlowRecord record, bool isMalformed);

    private sealed class WeirEncoder(int recordsMax) : FlowEncoder
    {
        private readonly WeirColumns _columns = new(recordsMax);

        private protected override void Put(in FlowRecord record, bool isMalformed) => _columns.Add(record, isMalformed);

        private protected override byte[] Take() => _columns.Finish().ToArray();
    }

    private sealed class BufferEncoder(Write write) : FlowEncoder
    {
        private readonly ByteText _bytes = new();

        private protected override void Put(in FlowRecord record, bool isMalformed) => write(_bytes, record, isMalformed);

        private protected override byte[] Take()
        {
            var value = _bytes.Written.ToArray();
            _bytes.Truncate(0);
            return value;
        }
    }
}
