using System.Globalization;

namespace Weir.Host.Telemetry;

/// <summary>What the control group of this process says of its processors, versions 1 and 2.</summary>
/// <param name="ThrottledTime">Time that the group was kept from running since it was made.</param>
/// <param name="CpuLimit">Processors that the quota grants; null for no quota.</param>
internal readonly record struct CgroupReading(TimeSpan ThrottledTime, double? CpuLimit)
{
    private const string Root = "/sys/fs/cgroup";

    /// <summary>Reads the group that this process is in now.</summary>
    /// <returns>Null where there is none that can be read.</returns>
    public static CgroupReading? Read()
    {
        try
        {
            foreach (var line in File.ReadLines("/proc/self/cgroup"))
            {
                // "number:controllers:path"
                var parts = line.Split(':', 3);
                if (parts.Length == 3 && parts[1].Split(',').Contains("cpu") && Version1(parts[2]) is { } first)
                {
                    return first;
                }

                if (parts is ["0", "", var path] && Version2(path) is { } second)
                {
                    return second;
                }
            }
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return null;
        }

        return null;
    }

    private static CgroupReading? Version1(string path)
    {
        foreach (var mount in (string[])["cpu", "cpu,cpuacct"])
        {
            // In a container the path is the host's, and the group's own files are at the mount.
            foreach (var directory in (string[])[Path.Join(Root, mount, path), Path.Join(Root, mount)])
            {
                if (File.Exists(Path.Combine(directory, "cpu.stat")))
                {
                    var quota = Number(Path.Combine(directory, "cpu.cfs_quota_us"));
                    var period = Number(Path.Combine(directory, "cpu.cfs_period_us"));
                    return new CgroupReading(
                        TimeSpan.FromTicks(Field(directory, "throttled_time") / 100),
                        quota > 0 && period > 0 ? quota / (double)period : null);
                }
            }
        }

        return null;
    }

    private static CgroupReading? Version2(string path)
    {
        foreach (var directory in (string[])[Path.Join(Root, path), Root])
        {
            if (File.Exists(Path.Combine(directory, "cpu.stat")) && File.Exists(Path.Combine(directory, "cpu.max")))
            {
                var limit = File.ReadAllText(Path.Combine(directory, "cpu.max")).Split(' ');
                var hasLimit = long.TryParse(limit[0], NumberStyles.None, CultureInfo.InvariantCulture, out var quota);
                var period = limit.Length > 1 ? long.Parse(limit[1], CultureInfo.InvariantCulture) : 0;
                return new CgroupReading(
                    TimeSpan.FromMicroseconds(Field(directory, "throttled_usec")),
                    hasLimit && period > 0 ? quota / (double)period : null);
            }
        }

        return null;
    }

    private static long Field(string directory, string name) => File.ReadLines(Path.Combine(directory, "cpu.stat"))
        .Select(line => line.Split(' '))
        .Where(parts => parts.Length == 2 && parts[0] == name)
        .Select(parts => long.Parse(parts[1], CultureInfo.InvariantCulture))
        .FirstOrDefault();

    private static long Number(string file) =>
        File.Exists(file) && long.TryParse(File.ReadAllText(file), CultureInfo.InvariantCulture, out var value) ? value : -1;
}
