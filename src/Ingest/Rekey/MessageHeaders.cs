using System.Runtime.InteropServices;

namespace Weir.Ingest;

/// <summary>librdkafka's view of the headers of a message, valid as long as the message.</summary>
internal static unsafe partial class MessageHeaders
{
    private const string LibraryName = "librdkafka"; // Found by KafkaNative's resolver.

    /// <summary>The headers of a message; not 0 when it has none.</summary>
    [LibraryImport(LibraryName, EntryPoint = "rd_kafka_message_headers")]
    internal static partial int Of(KafkaNative.Message* message, nint* headers);

    /// <summary>The value of the last header of a name; not 0 when there is none.</summary>
    [LibraryImport(LibraryName, EntryPoint = "rd_kafka_header_get_last", StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int GetLast(nint headers, string name, byte** value, nuint* size);
}
