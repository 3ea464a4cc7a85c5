using Weir.Codecs.ClickHouse;
using Weir.Core.Buffers;
using Weir.Core.Model;

namespace Weir.Writer;

/// <summary>Makes the blocks of a cut: sorts the rows of each view, folds those of several shards, splits, encodes, compresses.</summary>
/// <remarks>
/// <para>
/// A block is a pure function of the cut's rows: the same rows, in any order and from any number of shards, give the same
/// bytes under the same name. The retry, and the next owner of the partition, depend on it.
/// </para>
/// <para>
/// One thread, the builder's. Working memory is native, is charged to the budget, and is used again from cut to cut up to an
/// eighth of the budget; what is allocated for a cut are the objects that leave with it.
/// </para>
/// </remarks>
public sealed class BlockBuilder : IDisposable
{
    /// <summary>
    /// Share of the budget, as a divisor, that working memory may keep from cut to cut. Above it the memory goes back after the
    /// cut: a budget that working memory uses up for good would pause reading for good.
    /// </summary>
    private const int KeptShare = 8;

    private readonly WriterOptions _options;
    private readonly long _keptBytesMax;
    private readonly ViewEncoder[] _encoders;
    private readonly TextRanks _texts = new();
    private readonly SortedRows _rows;
    private readonly NativeBuffer _raw;
    private readonly PiecePool _pool;
    private readonly PieceWriter _pieces;
    private readonly CompressedFrame? _frame;
    private readonly byte[] _frameBytes = [];
    private long _cutCount;
    private long _blockCount;
    private long _rowCount;
    private long _rawBytes;
    private long _encodedBytes;

    /// <summary>Prepares for cuts of <paramref name="schema"/>.</summary>
    /// <param name="schema">The views, in whose order blocks are made.</param>
    /// <param name="options">
    /// Limits of a block, and its form: bare Native blocks for the embedded engine, frames of <see cref="WriterOptions.Compression"/>
    /// for a server.
    /// </param>
    /// <param name="budget">Charged with working memory and with the bytes of blocks.</param>
    /// <exception cref="DllNotFoundException">The library of the compression is missing; the message names the Debian package.</exception>
    public BlockBuilder(StreamSchema schema, WriterOptions options, MemoryBudget budget)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(options.BlockRowsMax, 1, nameof(options));
        ArgumentOutOfRangeException.ThrowIfLessThan(options.BlockDaysMax, 1, nameof(options));
        _options = options;
        _keptBytesMax = budget.LimitBytes / KeptShare;
        _encoders = [.. schema.Views.Select(view => new ViewEncoder(view, schema))];
        _rows = new SortedRows(schema, options.BlockDaysMax, options.ShardCount, budget);
        _raw = new NativeBuffer(budget);
        _pool = new PiecePool(budget);
        _pieces = new PieceWriter(_pool);
        if (options.EmbeddedPath is null)
        {
            _frame = new CompressedFrame(Method(options.Compression));
            _frameBytes = GC.AllocateUninitializedArray<byte>(_frame.BoundBytes(CompressedFrame.RawBytesMax));
        }
    }

    /// <summary>What was built since the start. Any thread; each number is exact for some moment of the present cut.</summary>
    public BlockBuilderSnapshot Snapshot() => new(
        Volatile.Read(ref _cutCount),
        Volatile.Read(ref _blockCount),
        Volatile.Read(ref _rowCount),
        Volatile.Read(ref _rawBytes),
        Volatile.Read(ref _encodedBytes));

    /// <summary>Makes the blocks of a cut that all shards have completed, and gives its rows back.</summary>
    /// <returns>The blocks, none for an abandoned cut; the caller owns them.</returns>
    /// <exception cref="InvalidOperationException">
    /// The account does not close, or a view's <c>records</c> are not what was folded: nothing of the cut may be stored.
    /// </exception>
    public BuiltCut Build(Cut cut)
    {
        var account = cut.Account();
        if (cut.IsAbandoned)
        {
            cut.ReleaseRows(); // Perhaps of some shards only: it may have been given up between two of them.
            return new BuiltCut(cut, account, [], [], _pool);
        }

        account.ThrowIfOpen(cut.Partition, cut.FromOffset, cut.ToOffset);
        _texts.Load(cut.Strings);
        var blocks = new List<Block>(_encoders.Length);
        var isBuilt = false;
        try
        {
            foreach (var encoder in _encoders)
            {
                BuildView(cut, encoder, account.FoldedCount, blocks);
            }

            isBuilt = true;
        }
        finally
        {
            if (!isBuilt)
            {
                _pool.Return(_pieces.EndCut());
            }
        }

        cut.ReleaseRows();
        if (_rows.CapacityBytes + _raw.CapacityBytes > _keptBytesMax)
        {
            _rows.Dispose();
            _raw.Dispose();
        }

        _cutCount++;
        return new BuiltCut(cut, account, blocks, _pieces.EndCut(), _pool);
    }

    /// <summary>Frees the working memory. Blocks that were built stay valid until their cut is disposed.</summary>
    public void Dispose()
    {
        _rows.Dispose();
        _raw.Dispose();
        _pool.Dispose();
        _frame?.Dispose();
    }

    private static FrameMethod Method(BlockCompression compression) => compression switch
    {
        BlockCompression.None => FrameMethod.None,
        BlockCompression.Lz4 => FrameMethod.Lz4,
        BlockCompression.Zstd => FrameMethod.Zstd,
        _ => throw new ArgumentOutOfRangeException(nameof(compression), compression, "Not a block compression."),
    };

    private void BuildView(Cut cut, ViewEncoder encoder, long foldedCount, List<Block> blocks)
    {
        _rows.Load(cut, encoder.View, encoder.Keys, _texts);
        var recordsSum = 0UL;
        var part = 0;
        var groupFrom = 0;
        for (var group = 0; group < _rows.GroupEnds.Count; group++)
        {
            var groupEnd = _rows.GroupEnds[group];
            var rowCount = groupEnd - groupFrom;
            var partCount = (int)((rowCount + (long)_options.BlockRowsMax - 1) / _options.BlockRowsMax);
            for (var index = 0; index < partCount; index++)
            {
                var from = groupFrom + (int)((long)rowCount * index / partCount);
                var to = groupFrom + (int)((long)rowCount * (index + 1) / partCount);
                var block = BuildBlock(cut, encoder, part++, from, to - from, _rows.GroupShards[group]);
                blocks.Add(block);
                recordsSum += block.RecordsSum;
            }

            groupFrom = groupEnd;
        }

        if (recordsSum != (ulong)foldedCount)
        {
            throw new InvalidOperationException(
                $"View {encoder.View.Definition.Name} of {cut.Partition} offsets {cut.FromOffset} to {cut.ToOffset} has "
                + $"{recordsSum} records in {_rows.Count} rows, but {foldedCount} were folded: nothing of this cut is stored.");
        }
    }

    private Block BuildBlock(Cut cut, ViewEncoder encoder, int part, int from, int rowCount, int shard)
    {
        var (rawBytes, sums) = encoder.Encode(_rows, from, rowCount, _texts, _raw);
        var startBytes = WriteEncoded(rawBytes, encoder.StartBytes);
        var name = new BlockName(cut.Partition, cut.FromOffset, cut.ToOffset, encoder.View.Definition.Name, part, _options.Layout);
        var block = new Block(
            name, encoder.View, encoder.ColumnNames, rowCount, sums, rawBytes, _frame is not null, startBytes, _pieces.EndBlock(), shard);
        _blockCount++;
        _rowCount += rowCount;
        _rawBytes += rawBytes;
        _encodedBytes += block.EncodedBytes;
        return block;
    }

    /// <summary>Writes the block in its form, its start apart from the rest.</summary>
    /// <returns>Bytes of the start as written.</returns>
    private unsafe int WriteEncoded(long rawBytes, int rawStartBytes)
    {
        var startBytes = WriteFrame(new ReadOnlySpan<byte>(_raw.Start, rawStartBytes));
        for (var offset = (long)rawStartBytes; offset < rawBytes; offset += CompressedFrame.RawBytesMax)
        {
            var length = (int)Math.Min(CompressedFrame.RawBytesMax, rawBytes - offset);
            WriteFrame(new ReadOnlySpan<byte>(_raw.Start + offset, length));
        }

        return startBytes;
    }

    private int WriteFrame(ReadOnlySpan<byte> raw)
    {
        var bytes = _frame is null ? raw : _frameBytes.AsSpan(0, _frame.Write(raw, _frameBytes));
        _pieces.Write(bytes);
        return bytes.Length;
    }
}

/// <summary>What a <see cref="BlockBuilder"/> has made since the start.</summary>
/// <param name="CutCount">Cuts.</param>
/// <param name="BlockCount">Blocks.</param>
/// <param name="RowCount">Rows of those blocks.</param>
/// <param name="RawBytes">Bytes of the Native blocks.</param>
/// <param name="EncodedBytes">Bytes that are sent.</param>
public readonly record struct BlockBuilderSnapshot(long CutCount, long BlockCount, long RowCount, long RawBytes, long EncodedBytes);
