using System.Runtime.InteropServices;
using System.Text;

namespace Weir.Host.Telemetry;

/// <summary>A small file that the kernel makes when it is read (<c>/proc</c>), read again and again.</summary>
/// <remarks>
/// Three calls of the kernel and nothing allocated. A diagnosis reads one for each thread, of which the embedded ClickHouse alone has a
/// hundred; a <see cref="FileStream"/> with its lock and its buffers takes four times as long. Any thread.
/// </remarks>
internal sealed unsafe partial class KernelFile
{
    private const int ReadOnlyCloseOnExec = 0x80000; // O_RDONLY | O_CLOEXEC

    private readonly byte[] _path;

    /// <summary>Names a file; it may come and go.</summary>
    public KernelFile(string path) => _path = Encoding.UTF8.GetBytes(path + '\0');

    /// <summary>Reads its beginning.</summary>
    /// <returns>Bytes read; -1 where there is no such file (any more) or it cannot be read.</returns>
    public int Read(Span<byte> destination)
    {
        fixed (byte* path = _path, to = destination)
        {
            var file = Open(path, ReadOnlyCloseOnExec);
            if (file < 0)
            {
                return -1;
            }

            var count = (int)ReadFile(file, to, (nuint)destination.Length); // Never cut short by a signal: it does not wait.
            _ = Close(file);
            return count;
        }
    }

    [LibraryImport("libc", EntryPoint = "open")]
    private static partial int Open(byte* path, int flags);

    [LibraryImport("libc", EntryPoint = "read")]
    private static partial nint ReadFile(int file, byte* to, nuint count);

    [LibraryImport("libc", EntryPoint = "close")]
    private static partial int Close(int file);
}
