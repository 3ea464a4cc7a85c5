using System.Diagnostics;

namespace Weir.Tests.Support;

/// <summary>The one way in which tests wait for something outside of them: with a deadline, and with words for what did not come.</summary>
internal static class Poll
{
    private static readonly TimeSpan _deadline = TimeSpan.FromSeconds(60);

    /// <summary>Waits until <paramref name="condition"/> holds.</summary>
    internal static async Task UntilAsync(string what, Func<Task<bool>> condition)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(20));
        var from = Stopwatch.GetTimestamp();
        while (!await condition())
        {
            if (Stopwatch.GetElapsedTime(from) > _deadline)
            {
                throw new TimeoutException($"Not within {_deadline}: {what}.");
            }

            await timer.WaitForNextTickAsync();
        }
    }

    /// <inheritdoc cref="UntilAsync(string, Func{Task{bool}})"/>
    internal static Task UntilAsync(string what, Func<bool> condition) => UntilAsync(what, () => Task.FromResult(condition()));
}
