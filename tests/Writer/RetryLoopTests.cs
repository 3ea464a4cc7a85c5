using Weir.Tests.Support;
using Weir.Writer;
using Xunit;

namespace Weir.Tests.Writer;

public sealed class RetryLoopTests
{
    private readonly ManualTimeProvider _time = new();
    private readonly RecordingLogger _logger = new();
    private readonly WriterCounters _counters = new(TestBlocks.Schema);
    private readonly WriterOptions _options = new();

    [Fact]
    public void The_backoff_doubles_to_its_limit_with_full_jitter()
    {
        var retries = NewLoop();

        for (var failedCount = 0; failedCount < 100; failedCount++)
        {
            var ceiling = Math.Min(10_000, 200 * Math.Pow(2, failedCount));
            Assert.InRange(retries.Backoff(failedCount).TotalMilliseconds, 0, ceiling);
        }

        var waits = Enumerable.Range(0, 1000).Select(_ => retries.Backoff(10).TotalMilliseconds).ToList();
        Assert.InRange(waits.Average(), 4000, 6000);
        Assert.InRange(waits.Min(), 0, 500);
    }

    [Fact]
    public async Task An_outage_is_logged_once_when_it_begins_and_once_when_it_ends()
    {
        var attemptCount = 0;
        var run = NewLoop().RunAsync(
            _ => Task.FromResult(++attemptCount <= 20 ? InsertReply.Failed(ReplyCause.Unreachable, 0, "refused") : InsertReply.Stored),
            CancellationToken.None);
        while (!run.IsCompleted)
        {
            // Each wait is at most the limit; a wait that is not yet begun is met in the next round.
            _time.Advance(_options.BackoffMax);
            await Task.Yield();
        }

        Assert.Equal(InsertOutcome.Stored, (await run).Outcome);
        Assert.Equal(1, _logger.Count(4002));
        Assert.Equal(1, _logger.Count(4003));
        var snapshot = _counters.Snapshot(0);
        Assert.Equal(20, snapshot.RetryCounts[(int)ReplyCause.Unreachable]);
        Assert.True(snapshot.IsWriting);
        Assert.Null(snapshot.LastError);
    }

    [Fact]
    public async Task A_server_that_is_away_is_not_writing_and_a_second_cause_is_told_too()
    {
        var causes = new Queue<ReplyCause>([ReplyCause.Unreachable, ReplyCause.Access, ReplyCause.Unreachable, ReplyCause.Access]);
        var attemptCount = 0;
        using var stop = new CancellationTokenSource();
        var run = NewLoop().RunAsync(
            _ =>
            {
                attemptCount++;
                return Task.FromResult(InsertReply.Failed(causes.Count > 0 ? causes.Dequeue() : ReplyCause.Unreachable, 0, "no"));
            },
            stop.Token);
        while (attemptCount < 10)
        {
            _time.Advance(_options.BackoffMax);
            await Task.Yield();
        }

        Assert.False(_counters.Snapshot(0).IsWriting);
        Assert.Equal("no", _counters.Snapshot(0).LastError);
        Assert.Equal(2, _logger.Count(4002));
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => run);
    }

    [Fact]
    public async Task Bytes_that_always_arrive_damaged_are_refused_after_a_few_attempts()
    {
        var attemptCount = 0;
        var run = NewLoop().RunAsync(
            _ =>
            {
                attemptCount++;
                return Task.FromResult(InsertReply.Failed(ReplyCause.Damaged, 40, "checksum"));
            },
            CancellationToken.None);
        while (!run.IsCompleted)
        {
            _time.Advance(_options.BackoffMax);
            await Task.Yield();
        }

        Assert.Equal(InsertOutcome.Refused, (await run).Outcome);
        Assert.Equal(RetryLoop.DamagedAttemptsMax, attemptCount);
    }

    private RetryLoop NewLoop() => new("test", _options, _time, new Random(1), _counters, _logger);
}
