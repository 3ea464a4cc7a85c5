using Weir.Host.Telemetry;
using Xunit;

namespace Weir.Tests.Diagnosis;

/// <summary>Processor time by stage, from the kernel's own files.</summary>
public sealed class ThreadTimesTests
{
    private const int ThreadCount = 200;

    [Fact]
    public void The_time_of_a_thread_is_told_under_its_stage_while_it_lives_and_after()
    {
        using var isRead = new ManualResetEventSlim();
        using var hasWorked = new ManualResetEventSlim();
        var thread = new Thread(() =>
        {
            SpinUntilUsed(TimeSpan.FromMilliseconds(20));
            hasWorked.Set();
            isRead.Wait();
        })
        {
            Name = "weir-fold-77",
        };
        var times = new ThreadTimes();
        thread.Start();
        hasWorked.Wait();

        var alive = times.Read()["fold 77"].Cpu;
        isRead.Set();
        thread.Join();
        var ended = times.Read()["fold 77"].Cpu;

        Assert.InRange(alive, TimeSpan.FromMilliseconds(20), TimeSpan.MaxValue);
        Assert.InRange(ended, alive, TimeSpan.MaxValue);
        Assert.True(times.Count > 0);
    }

    [Fact]
    public void A_reading_makes_no_text_of_each_file()
    {
        using var isRead = new ManualResetEventSlim();
        Thread[] threads = [.. Enumerable.Range(0, ThreadCount).Select(_ => new Thread(isRead.Wait, maxStackSize: 1 << 18) { IsBackground = true })];
        Array.ForEach(threads, thread => thread.Start());
        var times = new ThreadTimes();
        _ = Allocated(() => times.Read());

        var reading = Enumerable.Range(0, 3).Min(_ => Allocated(() => times.Read()));
        var asText = Allocated(() => File.ReadAllText("/proc/self/task/" + Environment.ProcessId + "/schedstat"));
        isRead.Set();

        Assert.InRange(asText, 4_096, long.MaxValue); // The control: what one file costs as a text.
        Assert.InRange(reading / times.Count, 0, asText / 2);
    }

    private static void SpinUntilUsed(TimeSpan time)
    {
        var from = System.Diagnostics.Stopwatch.GetTimestamp();
        while (System.Diagnostics.Stopwatch.GetElapsedTime(from) < 50 * time && OwnTime() < time)
        {
            Thread.SpinWait(1_000);
        }
    }

    private static TimeSpan OwnTime() => TimeSpan.FromTicks(
        long.Parse(File.ReadAllText("/proc/thread-self/schedstat").Split(' ')[0], System.Globalization.CultureInfo.InvariantCulture) / 100);

    private static long Allocated(Action action)
    {
        var before = GC.GetAllocatedBytesForCurrentThread();
        action();
        return GC.GetAllocatedBytesForCurrentThread() - before;
    }
}
