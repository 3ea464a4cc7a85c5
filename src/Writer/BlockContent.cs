using System.Net;
using System.Net.Http.Headers;

namespace Weir.Writer;

/// <summary>The body of an insert: the pieces of a block, sent from where they lie.</summary>
internal sealed class BlockContent : HttpContent
{
    private readonly Block _block;

    internal BlockContent(Block block)
    {
        _block = block;
        Headers.ContentType = new MediaTypeHeaderValue("application/octet-stream");
    }

    /// <inheritdoc/>
    protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken)
    {
        foreach (var piece in _block.Pieces)
        {
            await stream.WriteAsync(piece, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <inheritdoc/>
    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) =>
        SerializeToStreamAsync(stream, context, CancellationToken.None);

    /// <inheritdoc/>
    protected override bool TryComputeLength(out long length)
    {
        length = _block.EncodedBytes; // A length, so that a server never takes a body that was cut off for a whole one.
        return true;
    }
}
