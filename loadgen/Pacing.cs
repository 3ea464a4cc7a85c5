using System.Diagnostics;

namespace Weir.Loadgen;

/// <summary>Waits for the time of a message: asleep as long as that is safe, then awake.</summary>
internal static class Pacing
{
    private const double AwakeSeconds = 0.0001; // As in a replay: awake for longer would use a core up.

    /// <summary>Waits until a clock shows a time. A cancelled wait returns, so that the message in hand is sent.</summary>
    public static void Wait(Stopwatch clock, double seconds, CancellationToken cancellation)
    {
        while (true)
        {
            var left = seconds - clock.Elapsed.TotalSeconds;
            if (left <= 0 || cancellation.IsCancellationRequested)
            {
                return;
            }

            if (left > AwakeSeconds)
            {
                Thread.Sleep(left > 0.05 ? 20 : 1);
            }
            else
            {
                Thread.SpinWait(50);
            }
        }
    }
}
