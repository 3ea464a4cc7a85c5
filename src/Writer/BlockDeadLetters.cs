using System.Text.Json;
using Weir.Codecs.ClickHouse;
using Weir.Core.Model;

namespace Weir.Writer;

/// <summary>
/// Refused blocks on disk: the Native bytes in a file named by the block, ready for <c>INSERT … FORMAT Native</c>, and beside it the
/// reason and the account in JSON.
/// </summary>
/// <remarks>
/// A block that is there is there whole, and on the disk, before its cut goes on; the same block again replaces itself. The
/// directory is bounded. One thread, the inserter's.
/// </remarks>
internal sealed class BlockDeadLetters(string directory, long bytesMax)
{
    private static readonly JsonWriterOptions _json = new() { Indented = true };

    /// <summary>Stores a block.</summary>
    /// <returns>False when the directory has no room for it within its bound; nothing is left of it then.</returns>
    /// <exception cref="IOException">The disk does not take it.</exception>
    /// <exception cref="UnauthorizedAccessException">This user may not write there.</exception>
    internal bool TryWrite(BuiltCut built, Block block, in InsertReply reply, DateTimeOffset now)
    {
        Directory.CreateDirectory(directory);
        var path = Path.Combine(directory, block.Name.ToString().Replace('/', '_'));
        var held = new DirectoryInfo(directory).EnumerateFiles()
            .Where(file => !file.FullName.StartsWith(Path.GetFullPath(path) + '.', StringComparison.Ordinal))
            .Sum(file => file.Length);
        var details = Describe(built, block, reply, now);
        if (held + block.RawBytes + details.Length > bytesMax)
        {
            return false;
        }

        // The block comes last: who finds it finds its reason too.
        WriteWhole($"{path}.json", stream => stream.Write(details));
        WriteWhole($"{path}.native", stream => WriteBlock(stream, block));
        return true;
    }

    private static void WriteWhole(string path, Action<FileStream> write)
    {
        var unfinished = $"{path}.tmp";
        using (var stream = new FileStream(unfinished, FileMode.Create, FileAccess.Write))
        {
            write(stream);
            stream.Flush(flushToDisk: true);
        }

        File.Move(unfinished, path, overwrite: true);
    }

    /// <summary>The bare Native block: people insert it with ClickHouse's own client, which takes no frames.</summary>
    private static void WriteBlock(FileStream stream, Block block)
    {
        if (!block.IsFramed)
        {
            foreach (var piece in block.Pieces)
            {
                stream.Write(piece.Span);
            }

            return;
        }

        using var frame = new CompressedFrame(FrameMethod.None);
        var encoded = new byte[block.EncodedBytes];
        var length = 0;
        foreach (var piece in block.Pieces)
        {
            piece.Span.CopyTo(encoded.AsSpan(length));
            length += piece.Length;
        }

        var raw = new byte[CompressedFrame.RawBytesMax];
        for (var offset = 0; offset < encoded.Length;)
        {
            var status = frame.TryRead(encoded.AsSpan(offset), raw, out var frameBytes, out var rawBytes);
            if (status != DecodeStatus.Ok)
            {
                throw new InvalidOperationException($"A frame of block {block.Name} does not read back: {status}.");
            }

            stream.Write(raw.AsSpan(0, rawBytes));
            offset += frameBytes;
        }
    }

    private static byte[] Describe(BuiltCut built, Block block, in InsertReply reply, DateTimeOffset now)
    {
        using var text = new MemoryStream();
        using (var json = new Utf8JsonWriter(text, _json))
        {
            json.WriteStartObject();
            json.WriteString("name", block.Name.ToString());
            json.WriteString("topic", block.Name.Partition.Topic);
            json.WriteNumber("partition", block.Name.Partition.Partition);
            json.WriteNumber("from_offset", block.Name.FromOffset);
            json.WriteNumber("to_offset", block.Name.ToOffset);
            json.WriteString("view", block.Name.View);
            json.WriteNumber("part", block.Name.Part);
            json.WriteNumber("layout", block.Name.Layout);
            json.WriteNumber("shard", block.Shard);
            json.WriteString("reason", reply.Message);
            json.WriteNumber("code", reply.Code);
            json.WriteString("advice", reply.Advice);
            json.WriteString("refused_at", now);
            json.WriteStartArray("columns");
            foreach (var column in block.Columns)
            {
                json.WriteStringValue(column);
            }

            json.WriteEndArray();
            json.WriteNumber("rows", block.RowCount);
            json.WriteNumber("bytes_native", block.RawBytes);
            json.WriteNumber("records", block.Sums.Records);
            json.WriteNumber("packets", block.Sums.Packets);
            json.WriteNumber("bytes", block.Sums.Bytes);
            json.WriteString("account", built.Account.ToString());
            json.WriteEndObject();
        }

        return text.ToArray();
    }
}
