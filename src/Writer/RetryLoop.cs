using Microsoft.Extensions.Logging;
using Weir.Core.Telemetry;

namespace Weir.Writer;

/// <summary>
/// Repeats attempts against one ClickHouse until they end, with backoff, and says once when it goes away and once when it is back.
/// </summary>
/// <remarks>One thread, the inserter's.</remarks>
internal sealed class RetryLoop(
    string sink, WriterOptions options, TimeProvider time, Random random, WriterCounters counters, ILogger logger)
{
    /// <summary>Attempts with damaged bytes: the network does that to one, a fault of the program to all.</summary>
    internal const int DamagedAttemptsMax = 5;

    /// <summary>Doublings of the backoff; 2^20 times any sensible minimum is above any sensible maximum.</summary>
    private const int DoublingsMax = 20;

    // Each cause is logged once until the server is back: two that alternate would fill the log.
    private readonly HashSet<ReplyCause> _causesLogged = [];
    private long _awayFrom;
    private long _awayAttemptCount;

    /// <summary>Repeats <paramref name="attempt"/> while its reply is <see cref="InsertOutcome.NotNow"/>.</summary>
    /// <returns>The reply that ended it: stored or refused.</returns>
    /// <exception cref="OperationCanceledException"><paramref name="cancel"/> came.</exception>
    internal async Task<InsertReply> RunAsync(Func<CancellationToken, Task<InsertReply>> attempt, CancellationToken cancel)
    {
        var damagedCount = 0;
        for (var failedCount = 0; ; failedCount++)
        {
            cancel.ThrowIfCancellationRequested();
            var from = time.GetTimestamp();
            counters.Attempting(time.GetUtcNow());
            var reply = await attempt(cancel).ConfigureAwait(false);
            if (reply.Cause == ReplyCause.Damaged && ++damagedCount >= DamagedAttemptsMax)
            {
                reply = reply with { Outcome = InsertOutcome.Refused };
            }

            counters.Attempted(reply, time.GetElapsedTime(from), time.GetUtcNow());
            if (reply.Outcome is InsertOutcome.NotNow or InsertOutcome.Refused)
            {
                counters.Errors.Add(reply, time.GetUtcNow());
            }

            if (reply.Outcome != InsertOutcome.NotNow)
            {
                Answered();
                return reply;
            }

            Away(reply, from);
            await Task.Delay(Backoff(failedCount), time, cancel).ConfigureAwait(false);
        }
    }

    /// <summary>
    /// The wait after attempt <paramref name="failedCount"/> (from 0): anything up to the doubled minimum, so that many writers do
    /// not come back at once.
    /// </summary>
    internal TimeSpan Backoff(int failedCount)
    {
        var doubled = options.BackoffMin.TotalMilliseconds * (1L << Math.Min(failedCount, DoublingsMax));
        var ceiling = Math.Min(options.BackoffMax.TotalMilliseconds, doubled);
        return TimeSpan.FromMilliseconds(random.NextDouble() * ceiling);
    }

    private void Away(in InsertReply reply, long from)
    {
        if (_awayAttemptCount++ == 0)
        {
            _awayFrom = from;
        }

        if (_causesLogged.Add(reply.Cause))
        {
            WeirLog.WriterAway(logger, sink, reply.Cause.ToString(), reply.Code, reply.Message, reply.Advice);
        }
    }

    private void Answered()
    {
        if (_awayAttemptCount > 0)
        {
            WeirLog.WriterBack(logger, sink, time.GetElapsedTime(_awayFrom).TotalSeconds, _awayAttemptCount);
            _awayAttemptCount = 0;
            _causesLogged.Clear();
        }
    }
}
