using System.Diagnostics;

namespace Weir.Tests.Support;

/// <summary>A file system in memory that a test can fill, mounted on a directory; gone with it.</summary>
internal sealed class SmallDisk : IDisposable
{
    private readonly string _fillerFile;
    private readonly string _directory;

    private SmallDisk(string directory)
    {
        _directory = directory;
        _fillerFile = Path.Combine(directory, "filler");
    }

    /// <summary>True where this user may mount one.</summary>
    public static bool CanMount { get; } = Environment.IsPrivilegedProcess && TryMount();

    /// <summary>True between <see cref="Fill"/> and <see cref="Free"/>.</summary>
    public bool IsFull => File.Exists(_fillerFile);

    /// <summary>Mounts one on a directory that exists.</summary>
    public static SmallDisk Mount(string directory, int mib) => Run("mount", "-t", "tmpfs", "-o", FormattableString.Invariant($"size={mib}m"), "weir-disk", directory)
        ? new SmallDisk(directory)
        : throw new InvalidOperationException($"No file system could be mounted on {directory}.");

    /// <summary>Leaves no room.</summary>
    public void Fill()
    {
        using var filler = new FileStream(_fillerFile, FileMode.Append, FileAccess.Write, FileShare.Read, bufferSize: 1);
        try
        {
            var block = new byte[64 << 10];
            while (true)
            {
                filler.Write(block);
            }
        }
        catch (IOException)
        {
            // Full, as it should be.
        }
    }

    /// <summary>There is room again.</summary>
    public void Free() => File.Delete(_fillerFile);

    public void Dispose() => Run("umount", "-l", _directory);

    private static bool TryMount()
    {
        var directory = Directory.CreateTempSubdirectory("weir-mount-").FullName;
        var isMounted = Run("mount", "-t", "tmpfs", "-o", "size=1m", "weir-disk", directory);
        if (isMounted)
        {
            Run("umount", directory);
        }

        Directory.Delete(directory);
        return isMounted;
    }

    private static bool Run(string program, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardError = true })!;
        process.WaitForExit();
        return process.ExitCode == 0;
    }
}
