using System.Globalization;

namespace Weir.Host.Telemetry;

/// <summary>What the control group of this process says of its memory, versions 1 and 2.</summary>
/// <param name="UsedBytes">Bytes in use, without the pages of files: those the kernel drops before it kills.</param>
/// <param name="LimitBytes">Bytes at which the kernel kills a process of the group.</param>
internal readonly record struct CgroupMemory(long UsedBytes, long LimitBytes)
{
    /// <summary>Version 1 has no word for "no limit", but the largest number of pages.</summary>
    private const long UnlimitedBytes = 1L << 60;

    /// <summary>Reads the group that this process is in now.</summary>
    /// <param name="root">Where the groups are mounted.</param>
    /// <param name="membership">The file that names this process's groups.</param>
    /// <returns>Null where there is none that can be read, or it has no limit.</returns>
    public static CgroupMemory? Read(string root = "/sys/fs/cgroup", string membership = "/proc/self/cgroup")
    {
        try
        {
            foreach (var line in File.ReadLines(membership))
            {
                // "number:controllers:path". In a container the path is the host's, and the group's own files are at the mount.
                var parts = line.Split(':', 3);
                var found = parts switch
                {
                    [_, var controllers, var path] when controllers.Split(',').Contains("memory") =>
                        Read(root, ["memory" + path, "memory"], "memory.limit_in_bytes", "memory.usage_in_bytes", "total_"),
                    ["0", "", var path] => Read(root, [path, ""], "memory.max", "memory.current", ""),
                    _ => null,
                };
                if (found is not null)
                {
                    return found;
                }
            }
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return null;
        }

        return null;
    }

    private static CgroupMemory? Read(string root, string[] directories, string limitFile, string usageFile, string prefix)
    {
        foreach (var path in directories)
        {
            var directory = Path.Join(root, path);
            if (File.Exists(Path.Join(directory, limitFile)))
            {
                var limit = Number(Path.Join(directory, limitFile));
                var files = File.ReadLines(Path.Join(directory, "memory.stat"))
                    .Select(line => line.Split(' '))
                    .Where(pair => pair is [var name, _] && (name == $"{prefix}inactive_file" || name == $"{prefix}active_file"))
                    .Sum(pair => long.Parse(pair[1], CultureInfo.InvariantCulture));
                return limit is null or >= UnlimitedBytes || Number(Path.Join(directory, usageFile)) is not { } usage
                    ? null
                    : new CgroupMemory(Math.Max(usage - files, 0), limit.Value);
            }
        }

        return null;
    }

    /// <summary>The number in a file; null for <c>max</c>.</summary>
    private static long? Number(string file) =>
        long.TryParse(File.ReadAllText(file), CultureInfo.InvariantCulture, out var value) ? value : null;
}
