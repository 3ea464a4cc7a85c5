using System.Runtime.CompilerServices;
using Weir.Core.Model;

namespace Weir.Codecs.Flow;

/// <summary>The rows that a decoder has filled and not yet handed to the sink.</summary>
/// <remarks>On the stack of the decoder. Whoever makes one calls <see cref="End"/> at last.</remarks>
internal unsafe ref struct RowBlock
{
    private readonly RecordSink _sink;
    private readonly int _rowBytes;
    private readonly bool _isHashed;
    private int _count;
    private int _capacity;

    /// <summary>Begins at the sink's next row.</summary>
    /// <param name="sink">The sink.</param>
    /// <param name="rowBytes">Bytes of a row.</param>
    /// <param name="isHashed">True when the decoder hashes the tag sets itself.</param>
    public RowBlock(RecordSink sink, int rowBytes, bool isHashed = false)
    {
        _sink = sink;
        _rowBytes = rowBytes;
        _isHashed = isHashed;
        Begin();
    }

    /// <summary>The row of the next record. What is in it is unknown: see <see cref="Clear"/>.</summary>
    public byte* Row { get; private set; }

    /// <summary>Rows from <see cref="Row"/> on.</summary>
    public readonly int Left => _capacity - _count;

    /// <summary>Zeroes the row of the next record.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly void Clear() => new Span<byte>(Row, _rowBytes).Clear();

    /// <summary>The next <paramref name="count"/> rows are complete.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Accept(int count = 1)
    {
        _count += count;
        Row += (nint)count * _rowBytes;
        if (_count == _capacity)
        {
            Flush();
        }
    }

    /// <summary>The next record is bad. Its row may be half filled.</summary>
    public void Reject(DecodeStatus status, ReadOnlySpan<byte> evidence)
    {
        Flush();
        Clear();
        _sink.Reject(status, evidence);
        Begin();
    }

    /// <summary>Hands over what is complete; the sink's row is the next one then, and zeroed.</summary>
    public void Flush()
    {
        if (_count > 0)
        {
            _sink.AcceptRows(_count, _isHashed);
            Begin();
        }
    }

    /// <summary>Hands over what is complete, and leaves a clean row: the end of a message.</summary>
    public void End()
    {
        Flush();
        Clear();
    }

    private void Begin()
    {
        Row = _sink.Row;
        _capacity = _sink.RowCapacity;
        _count = 0;
    }
}
