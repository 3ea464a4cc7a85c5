using System.Runtime.InteropServices;
using System.Text;
using Weir.Tests.Support;

namespace Weir.Tests.Writer;

/// <summary>The embedded engine over a directory of its own: the few calls that the tests of block bytes need.</summary>
internal sealed unsafe class BlockEngine : IDisposable
{
    private static readonly Lazy<nint> _library = new(() => NativeLibrary.Load(RepositoryPaths.Of(".native", "libchdb.so")));
    private readonly string _directory = Directory.CreateTempSubdirectory("weir-engine-").FullName;
    private readonly nint* _connection;

    public BlockEngine()
    {
        ((delegate* unmanaged<int, void>)Call("chdb_set_signal_handlers_enabled"))(0);
        fixed (byte* program = "weir\0"u8)
        fixed (byte* path = Encoding.UTF8.GetBytes($"--path={_directory}\0"))
        {
            byte*[] arguments = [program, path];
            fixed (byte** first = arguments)
            {
                _connection = ((delegate* unmanaged<int, byte**, nint*>)Call("chdb_connect"))(arguments.Length, first);
            }
        }

        if (_connection == null)
        {
            throw new InvalidOperationException("The embedded engine did not open its directory.");
        }
    }

    /// <summary>Runs a statement and returns what it says.</summary>
    public string Query(string sql)
    {
        fixed (byte* text = Encoding.UTF8.GetBytes(sql))
        fixed (byte* format = "TabSeparated"u8)
        {
            var query = (delegate* unmanaged<nint, byte*, nuint, byte*, nuint, nint>)Call("chdb_query_n");
            return Finish(query(*_connection, text, (nuint)Encoding.UTF8.GetByteCount(sql), format, 12));
        }
    }

    /// <summary>Inserts the pieces of a bare Native block.</summary>
    public void Insert(string sql, IEnumerable<ReadOnlyMemory<byte>> pieces)
    {
        fixed (byte* text = Encoding.UTF8.GetBytes(sql))
        fixed (byte* format = "Native"u8)
        {
            var begin = (delegate* unmanaged<nint, byte*, nuint, byte*, nuint, nint>)Call("chdb_stream_insert_n");
            var append = (delegate* unmanaged<nint, void*, nuint, int>)Call("chdb_stream_append");
            var stream = begin(*_connection, text, (nuint)Encoding.UTF8.GetByteCount(sql), format, 6);
            try
            {
                foreach (var piece in pieces)
                {
                    using var pin = piece.Pin();
                    if (append(stream, pin.Pointer, (nuint)piece.Length) != 0)
                    {
                        break; // Done tells why.
                    }
                }

                _ = Finish(((delegate* unmanaged<nint, nint>)Call("chdb_stream_done"))(stream));
            }
            finally
            {
                ((delegate* unmanaged<nint, void>)Call("chdb_destroy_insert_stream"))(stream);
            }
        }
    }

    public void Dispose()
    {
        ((delegate* unmanaged<nint*, void>)Call("chdb_close_conn"))(_connection);
        Directory.Delete(_directory, recursive: true);
    }

    private static string Finish(nint result)
    {
        try
        {
            var error = Marshal.PtrToStringUTF8(((delegate* unmanaged<nint, nint>)Call("chdb_result_error"))(result));
            var bytes = ((delegate* unmanaged<nint, byte*>)Call("chdb_result_buffer"))(result);
            var length = ((delegate* unmanaged<nint, nuint>)Call("chdb_result_length"))(result);
            return string.IsNullOrEmpty(error)
                ? Encoding.UTF8.GetString(new ReadOnlySpan<byte>(bytes, (int)length))
                : throw new InvalidOperationException(error);
        }
        finally
        {
            ((delegate* unmanaged<nint, void>)Call("chdb_destroy_query_result"))(result);
        }
    }

    private static nint Call(string name) => NativeLibrary.GetExport(_library.Value, name);
}
