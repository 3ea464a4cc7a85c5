using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using System.Text;

namespace Weir.Writer;

/// <summary>One connection to the engine in this process, with the one thread that may use it.</summary>
/// <remarks>Work may be given by any thread; it runs in order. The engine wants large stacks, which pool threads have not.</remarks>
internal sealed class ChdbConnection : IAsyncDisposable
{
    private const int StackBytes = 8 << 20;

    private readonly BlockingCollection<Action> _work = new();
    private readonly TaskCompletionSource _opened = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _closed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Thread _thread;
    private readonly string[] _arguments;
    private nint _connection; // chdb_connection *

    private ChdbConnection(string name, string[] arguments)
    {
        _arguments = arguments;
        _thread = new Thread(Run, StackBytes) { Name = name, IsBackground = true };
    }

    /// <summary>Opens a connection on a new thread.</summary>
    /// <param name="name">Name of the thread.</param>
    /// <param name="arguments">The engine's options, such as <c>--path=…</c>.</param>
    /// <exception cref="SinkUnusableException">The library is missing, or the engine cannot be started.</exception>
    internal static async Task<ChdbConnection> OpenAsync(string name, params string[] arguments)
    {
        var connection = new ChdbConnection(name, arguments);
        connection._thread.Start();
        await connection._opened.Task.ConfigureAwait(false);
        return connection;
    }

    /// <summary>Runs <paramref name="work"/> on the connection's thread.</summary>
    internal Task<T> RunAsync<T>(Func<nint, T> work)
    {
        var done = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        try
        {
            _work.Add(() =>
            {
                try
                {
                    done.SetResult(work(Handle(_connection)));
                }
                catch (Exception error) // Not handled here: it goes to the caller, who awaits it.
                {
                    done.SetException(error);
                }
            });
        }
        catch (InvalidOperationException)
        {
            done.SetException(new ObjectDisposedException(nameof(ChdbConnection)));
        }

        return done.Task;
    }

    /// <summary>Runs a query or statement whole. On the connection's thread.</summary>
    /// <returns>The result, which may be large; or the engine's error.</returns>
    internal static unsafe (byte[] Result, string? Error) Query(nint connection, string sql, string format)
    {
        var sqlBytes = Encoding.UTF8.GetBytes(sql);
        var formatBytes = Encoding.UTF8.GetBytes(format);
        fixed (byte* sqlStart = sqlBytes, formatStart = formatBytes)
        {
            return Take(ChdbNative.Query(connection, sqlStart, (nuint)sqlBytes.Length, formatStart, (nuint)formatBytes.Length));
        }
    }

    /// <summary>Copies a result and frees it.</summary>
    internal static unsafe (byte[] Result, string? Error) Take(nint result)
    {
        if (result == 0)
        {
            return ([], "The engine gave no result");
        }

        try
        {
            var error = Text(ChdbNative.ResultError(result));
            var length = (int)ChdbNative.ResultLength(result);
            return (error is null && length > 0 ? new ReadOnlySpan<byte>(ChdbNative.ResultBuffer(result), length).ToArray() : [], error);
        }
        finally
        {
            ChdbNative.DestroyResult(result);
        }
    }

    /// <summary>The text of a C string; null when there is none.</summary>
    internal static unsafe string? Text(byte* text) => text is null ? null : Marshal.PtrToStringUTF8((nint)text);

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        _work.CompleteAdding();
        await _closed.Task.ConfigureAwait(false);
        _work.Dispose();
    }

    private static unsafe nint Handle(nint connection) => *(nint*)connection;

    private void Run()
    {
        try
        {
            _connection = Connect(_arguments);
        }
        catch (Exception error) // Not handled here: it goes to the caller of OpenAsync.
        {
            _opened.SetException(error);
            _closed.SetResult();
            return;
        }

        _opened.SetResult();
        foreach (var work in _work.GetConsumingEnumerable())
        {
            work();
        }

        ChdbNative.Close(_connection);
        _closed.SetResult();
    }

    private static unsafe nint Connect(string[] arguments)
    {
        // With the engine's own handlers a NullReferenceException of .NET would be a segmentation fault.
        ChdbNative.SetSignalHandlersEnabled(0);
        string[] all = ["clickhouse", .. arguments];
        var texts = stackalloc byte*[all.Length];
        try
        {
            for (var index = 0; index < all.Length; index++)
            {
                texts[index] = (byte*)Marshal.StringToCoTaskMemUTF8(all[index]);
            }

            var connection = ChdbNative.Connect(all.Length, texts);
            return connection is null || Handle((nint)connection) == 0
                ? throw new SinkUnusableException("The embedded ClickHouse did not start; its reason is on the standard error.")
                : (nint)connection;
        }
        finally
        {
            for (var index = 0; index < all.Length; index++)
            {
                Marshal.FreeCoTaskMem((nint)texts[index]);
            }
        }
    }
}
