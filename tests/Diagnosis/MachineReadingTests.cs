using System.Globalization;
using Weir.Host.Telemetry;
using Xunit;

namespace Weir.Tests.Diagnosis;

/// <summary>What is read of the kernel: memory of the control group, and processor time of threads.</summary>
public sealed class MachineReadingTests : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("weir-cgroup-").FullName;

    [Theory]
    [InlineData("0::/kubepods/pod7/weir\n", "kubepods/pod7/weir")]
    [InlineData("0::/../../pod7/other\n", "")] // Seen from within a container, its own files are at the mount.
    public void Memory_of_a_group_of_version_2_is_without_pages_of_files(string membership, string directory)
    {
        Write(directory, ("memory.max", "1000\n"), ("memory.current", "900\n"), ("memory.stat", "anon 500\ninactive_file 250\nactive_file 50\nslab 3\n"));
        Assert.Equal(new CgroupMemory(600, 1000), Read(membership));
    }

    [Theory]
    [InlineData("4:memory:/docker/7\n1:cpu:/\n0::/\n", "memory/docker/7")]
    [InlineData("11:cpuset:/\n9:cpu,memory:/docker/7\n", "memory")]
    public void Memory_of_a_group_of_version_1_is_without_pages_of_files(string membership, string directory)
    {
        Write(
            directory,
            ("memory.limit_in_bytes", "1000\n"),
            ("memory.usage_in_bytes", "900\n"),
            ("memory.stat", "inactive_file 1\nactive_file 1\ntotal_inactive_file 250\ntotal_active_file 50\n"));
        Assert.Equal(new CgroupMemory(600, 1000), Read(membership));
    }

    [Fact]
    public void A_group_without_a_limit_has_no_reading()
    {
        Write("free", ("memory.max", "max\n"), ("memory.current", "900\n"), ("memory.stat", "anon 5\n"));
        Write("memory/old", ("memory.limit_in_bytes", "9223372036854771712\n"), ("memory.usage_in_bytes", "900\n"), ("memory.stat", "cache 5\n"));
        Assert.Null(Read("0::/free\n"));
        Assert.Null(Read("4:memory:/old\n"));
        Assert.Null(Read("1:cpu:/\n"));
        Assert.Null(CgroupMemory.Read(_root, Path.Join(_root, "nowhere")));
    }

    [Fact]
    public void Processor_time_is_told_by_the_name_of_the_thread_and_stays_when_it_has_ended()
    {
        var times = new ThreadTimes();
        using var isDone = new ManualResetEventSlim();
        using var mayEnd = new ManualResetEventSlim();
        var worker = new Thread(() =>
        {
            var until = Environment.TickCount64 + 30; // Busy, not asleep: it is the processor time that is read.
            while (Environment.TickCount64 < until)
            {
                Thread.SpinWait(1_000);
            }

            isDone.Set();
            mayEnd.Wait();
        }) { Name = "weir-fold-77" };
        worker.Start();
        isDone.Wait();

        var living = times.Read();
        var count = times.Count;
        mayEnd.Set();
        worker.Join();
        var ended = times.Read();

        Assert.InRange(living["fold 77"].Cpu, TimeSpan.FromMilliseconds(1), TimeSpan.FromSeconds(5));
        Assert.InRange(ended["fold 77"].Cpu, living["fold 77"].Cpu, TimeSpan.FromSeconds(5));
        Assert.InRange(count, 2, int.MaxValue);
    }

    [Fact]
    public void Reading_again_allocates_the_sums_and_no_files()
    {
        var times = new ThreadTimes();
        for (var count = 0; count < 5; count++)
        {
            _ = times.Read(); // Every thread is known, and its name settled.
        }

        var before = GC.GetAllocatedBytesForCurrentThread();
        var sums = times.Read();
        var bytes = GC.GetAllocatedBytesForCurrentThread() - before;

        Assert.True(bytes < 8_192 + (times.Count * 64), string.Create(CultureInfo.InvariantCulture, $"{bytes} bytes for {times.Count} threads in {sums.Count} stages"));
    }

    public void Dispose() => Directory.Delete(_root, recursive: true);

    private CgroupMemory? Read(string membership)
    {
        var file = Path.Join(_root, "membership");
        File.WriteAllText(file, membership);
        return CgroupMemory.Read(_root, file);
    }

    private void Write(string directory, params (string Name, string Text)[] files)
    {
        var path = Directory.CreateDirectory(Path.Join(_root, directory)).FullName;
        foreach (var (name, text) in files)
        {
            File.WriteAllText(Path.Join(path, name), text);
        }
    }
}
