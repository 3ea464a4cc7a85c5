using System.Diagnostics;
using Xunit;

namespace Weir.Tests.Support;

/// <summary>Waits for something that a real thread, process or server does. The only place where tests wait for real time.</summary>
public static class Eventually
{
    private static readonly TimeSpan _limit = TimeSpan.FromSeconds(90);
    private static readonly TimeSpan _pollInterval = TimeSpan.FromMilliseconds(5);

    // Asking another process costs more than looking at a field.
    private static readonly TimeSpan _asyncPollInterval = TimeSpan.FromMilliseconds(20);

    /// <summary>Returns as soon as <paramref name="condition"/> holds; fails the test when it does not within <paramref name="deadline"/> (90 s).</summary>
    /// <param name="condition">Asked every few milliseconds.</param>
    /// <param name="what">What was waited for.</param>
    /// <param name="deadline">How long to wait; 90 s by default.</param>
    public static void True(Func<bool> condition, string what, TimeSpan? deadline = null) => True(condition, () => what, deadline);

    /// <inheritdoc cref="True(Func{bool}, string, TimeSpan?)"/>
    public static void True(Func<bool> condition, Func<string> what, TimeSpan? deadline = null)
    {
        var limit = deadline ?? _limit;
        var from = Stopwatch.GetTimestamp();
        using var never = new ManualResetEventSlim();
        while (!condition())
        {
            if (Stopwatch.GetElapsedTime(from) > limit)
            {
                Assert.Fail($"Not within {limit}: {what()}.");
            }

            never.Wait(_pollInterval);
        }
    }

    /// <inheritdoc cref="True(Func{bool}, string, TimeSpan?)"/>
    public static Task TrueAsync(Func<bool> condition, string what, TimeSpan? deadline = null) =>
        TrueAsync(() => Task.FromResult(condition()), () => what, deadline);

    /// <inheritdoc cref="True(Func{bool}, string, TimeSpan?)"/>
    public static Task TrueAsync(Func<Task<bool>> condition, string what, TimeSpan? deadline = null) =>
        TrueAsync(condition, () => what, deadline);

    /// <inheritdoc cref="True(Func{bool}, string, TimeSpan?)"/>
    public static async Task TrueAsync(Func<Task<bool>> condition, Func<string> what, TimeSpan? deadline = null)
    {
        var limit = deadline ?? _limit;
        var from = Stopwatch.GetTimestamp();
        using var timer = new PeriodicTimer(_asyncPollInterval);
        while (!await condition())
        {
            if (Stopwatch.GetElapsedTime(from) > limit)
            {
                Assert.Fail($"Not within {limit}: {what()}.");
            }

            await timer.WaitForNextTickAsync();
        }
    }
}
