using System.Runtime.InteropServices;

namespace Weir.Writer;

/// <summary>The C functions of libchdb that Weir calls. Handles are opaque; each belongs to the thread of its connection.</summary>
internal static unsafe partial class ChdbNative
{
    /// <summary>The variable that names the library, where it is at none of the usual places.</summary>
    internal const string PathVariable = "WEIR_LIBCHDB";

    private const string Library = "libchdb";
    private const string FileName = "libchdb.so";

    static ChdbNative()
    {
        NativeLibrary.SetDllImportResolver(typeof(ChdbNative).Assembly, (name, _, _) => name == Library ? Handle.Value : 0);
    }

    private static readonly Lazy<nint> Handle = new(() => NativeLibrary.Load(FindLibrary()));

    /// <summary>Finds the library: named by the environment, beside the program, or in <c>.native/</c> of a directory above it.</summary>
    /// <exception cref="SinkUnusableException">It is nowhere.</exception>
    internal static string FindLibrary()
    {
        var named = Environment.GetEnvironmentVariable(PathVariable);
        if (!string.IsNullOrEmpty(named))
        {
            return File.Exists(named) ? named : throw new SinkUnusableException($"{PathVariable} names {named}, which does not exist.");
        }

        var beside = Path.Combine(AppContext.BaseDirectory, FileName);
        if (File.Exists(beside))
        {
            return beside;
        }

        for (var directory = new DirectoryInfo(AppContext.BaseDirectory); directory is not null; directory = directory.Parent)
        {
            var path = Path.Combine(directory.FullName, ".native", FileName);
            if (File.Exists(path))
            {
                return path;
            }
        }

        throw new SinkUnusableException(
            $"The embedded ClickHouse needs {FileName}, which is neither beside the program nor in .native/ above it: "
            + $"run scripts/setup.sh, or set {PathVariable}, or use a server (clickhouse.url).");
    }

    [LibraryImport(Library, EntryPoint = "chdb_set_signal_handlers_enabled")]
    internal static partial void SetSignalHandlersEnabled(int isEnabled);

    /// <summary>Opens a connection; null when the engine cannot start, with the reason on the standard error only.</summary>
    [LibraryImport(Library, EntryPoint = "chdb_connect")]
    internal static partial nint* Connect(int argumentCount, byte** arguments);

    [LibraryImport(Library, EntryPoint = "chdb_close_conn")]
    internal static partial void Close(nint connection);

    [LibraryImport(Library, EntryPoint = "chdb_query_n")]
    internal static partial nint Query(nint connection, byte* sql, nuint sqlLength, byte* format, nuint formatLength);

    [LibraryImport(Library, EntryPoint = "chdb_stream_query_n")]
    internal static partial nint StreamQuery(nint connection, byte* sql, nuint sqlLength, byte* format, nuint formatLength);

    [LibraryImport(Library, EntryPoint = "chdb_stream_fetch_result")]
    internal static partial nint StreamFetch(nint connection, nint stream);

    [LibraryImport(Library, EntryPoint = "chdb_stream_cancel_query")]
    internal static partial void StreamCancel(nint connection, nint stream);

    [LibraryImport(Library, EntryPoint = "chdb_destroy_query_result")]
    internal static partial void DestroyResult(nint result);

    [LibraryImport(Library, EntryPoint = "chdb_result_buffer")]
    internal static partial byte* ResultBuffer(nint result);

    [LibraryImport(Library, EntryPoint = "chdb_result_length")]
    internal static partial nuint ResultLength(nint result);

    [LibraryImport(Library, EntryPoint = "chdb_result_error")]
    internal static partial byte* ResultError(nint result);

    [LibraryImport(Library, EntryPoint = "chdb_stream_insert_n")]
    internal static partial nint StreamInsert(nint connection, byte* sql, nuint sqlLength, byte* format, nuint formatLength);

    /// <summary>Copies the bytes; waits while the engine is behind. 0 when they were taken.</summary>
    [LibraryImport(Library, EntryPoint = "chdb_stream_append")]
    internal static partial int StreamAppend(nint stream, byte* bytes, nuint length);

    /// <summary>Ends the insert and commits; the result carries the error, if any.</summary>
    [LibraryImport(Library, EntryPoint = "chdb_stream_done")]
    internal static partial nint StreamDone(nint stream);

    [LibraryImport(Library, EntryPoint = "chdb_stream_insert_error")]
    internal static partial byte* StreamInsertError(nint stream);

    /// <summary>Frees the stream; one that was not ended is cancelled first.</summary>
    [LibraryImport(Library, EntryPoint = "chdb_destroy_insert_stream")]
    internal static partial void DestroyInsertStream(nint stream);
}
