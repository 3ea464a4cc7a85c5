using System.Runtime.InteropServices;
using Weir.Codecs.Flow;
using Weir.Core.Model;

namespace Weir.Loadgen.Replay;

/// <summary>Counts the records of messages with the decoder that weir uses.</summary>
/// <remarks>One thread.</remarks>
public sealed class RecordCounter
{
    private static readonly StreamSchema _schema = StreamSchema.Compile(StandardSchema.Views);
    private readonly FlowDecoder _decoder;
    private readonly CountingSink _sink = new(_schema.RecordBytes);

    /// <summary>Makes the counter of a format.</summary>
    public RecordCounter(string format) => _decoder = FlowFormats.Create(format, _schema);

    /// <summary>Records of a message, those that do not decode among them.</summary>
    public int Count(ReadOnlySpan<byte> value)
    {
        _sink.Count = 0;
        _sink.Forget();
        _decoder.Decode(value, _sink);
        return _sink.Count;
    }

    private sealed unsafe class CountingSink : RecordSink
    {
        private const int TextsMax = 70_000; // More than a message can have; above it they become the overflow text.
        private readonly byte[] _row;

        public CountingSink(int recordBytes)
        {
            _row = GC.AllocateArray<byte>(recordBytes, pinned: true);
            Row = (byte*)Marshal.UnsafeAddrOfPinnedArrayElement(_row, 0);
            Strings = new StringDictionary(TextsMax);
        }

        public int Count { get; set; }

        public void Forget() => Strings.Clear();

        public override void Accept()
        {
            Count++;
            Array.Clear(_row);
        }

        public override void Reject(DecodeStatus status, ReadOnlySpan<byte> evidence)
        {
            Count++;
            Array.Clear(_row);
        }
    }
}
