using System.Globalization;

namespace Weir.Tests.Diagnosis;

/// <summary>A control group of the kernel with a quota of processor time, version 1 or 2.</summary>
internal sealed class CpuQuota : IDisposable
{
    private const int PeriodMicroseconds = 100_000;

    private readonly string _root;
    private readonly string _directory;
    private readonly bool _isFirstVersion;

    private CpuQuota(string root, bool isFirstVersion)
    {
        _root = root;
        _isFirstVersion = isFirstVersion;
        _directory = Path.Combine(root, $"weir-test-{Environment.ProcessId}");
        Directory.CreateDirectory(_directory);
    }

    /// <summary>Makes a group; null where this user may not, or the kernel has no such controller.</summary>
    public static CpuQuota? TryCreate()
    {
        foreach (var (root, isFirst) in ((string, bool)[])[("/sys/fs/cgroup/cpu", true), ("/sys/fs/cgroup", false)])
        {
            if (!File.Exists(Path.Combine(root, isFirst ? "cpu.cfs_quota_us" : "cgroup.controllers")))
            {
                continue;
            }

            try
            {
                var quota = new CpuQuota(root, isFirst);
                if (File.Exists(Path.Combine(quota._directory, isFirst ? "cpu.cfs_quota_us" : "cpu.max")))
                {
                    return quota;
                }

                quota.Dispose();
            }
            catch (Exception error) when (error is IOException or UnauthorizedAccessException)
            {
                // Another way, or none.
            }
        }

        return null;
    }

    /// <summary>Moves a process in, which gets so many processors from now on.</summary>
    public void Limit(int process, double processors)
    {
        var quota = ((int)(PeriodMicroseconds * processors)).ToString(CultureInfo.InvariantCulture);
        File.WriteAllText(Path.Combine(_directory, _isFirstVersion ? "cpu.cfs_quota_us" : "cpu.max"), _isFirstVersion ? quota : $"{quota} {PeriodMicroseconds}");
        Move(_directory, process);
    }

    /// <summary>Moves it out again.</summary>
    public void Release(int process) => Move(_root, process);

    public void Dispose() => Directory.Delete(_directory); // The kernel's files in it are no obstacle.

    private static void Move(string directory, int process) =>
        File.WriteAllText(Path.Combine(directory, "cgroup.procs"), process.ToString(CultureInfo.InvariantCulture));
}
