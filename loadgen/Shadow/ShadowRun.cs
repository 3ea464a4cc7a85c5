using System.Diagnostics;
using Weir.Loadgen.Capture;
using Weir.Loadgen.Kafka;
using Weir.Loadgen.Replay;

namespace Weir.Loadgen.Shadow;

/// <summary>What one pipeline has used, and how fresh its rows were.</summary>
/// <param name="Name">The pipeline.</param>
/// <param name="CpuSeconds">User and system time.</param>
/// <param name="PeakBytes">Most memory resident.</param>
/// <param name="DiskBytes">Bytes that it made the kernel write: those of an embedded store; a server's are its own.</param>
/// <param name="SentBytes">Bytes of blocks as they were sent to ClickHouse.</param>
/// <param name="FreshnessMean">Mean of its freshness, s, over the readings of each second.</param>
/// <param name="FreshnessMax">The worst reading.</param>
/// <param name="Samples">Seconds since the start, CPU seconds, bytes resident.</param>
public sealed record PipelineBill(
    string Name, double CpuSeconds, long PeakBytes, long DiskBytes, double SentBytes, double FreshnessMean, double FreshnessMax,
    IReadOnlyList<(double At, double CpuSeconds, double ResidentBytes)> Samples);

/// <summary>What a shadow run found.</summary>
/// <param name="Views">View by view.</param>
/// <param name="Differences">The largest first.</param>
/// <param name="Bills">One for each pipeline.</param>
/// <param name="MessageCount">Messages that both got.</param>
/// <param name="Elapsed">From the first message until both had stored all.</param>
public sealed record ShadowResult(
    IReadOnlyList<ViewComparison> Views, IReadOnlyList<RowDifference> Differences, IReadOnlyList<PipelineBill> Bills, long MessageCount,
        TimeSpan Elapsed)
{
    /// <summary>True when nothing differs.</summary>
    public bool IsEqual => Views.All(view => view.IsEqual);
}

/// <summary>Two pipelines read the same topic, each with a group and a database of its own; then their views are compared.</summary>
public sealed class ShadowRun(WeirPipeline a, WeirPipeline b, string bootstrap, string topic)
{
    private static readonly TimeSpan _sampleInterval = TimeSpan.FromSeconds(1);

    private readonly Dictionary<string, List<(double At, double Freshness, double SentBytes, ProcessBill Bill)>> _samples =
        new() { [a.Name] = [], [b.Name] = [] };
    private readonly Stopwatch _elapsed = new();

    /// <summary>Says what is going on.</summary>
    public Action<string> Say { get; init; } = _ => { };

    /// <summary>Replays a capture to both and compares. Cancelling ends the replay; what both got until then is compared.</summary>
    /// <exception cref="IOException">A pipeline ended by itself.</exception>
    public async Task<ShadowResult> RunAsync(
        CaptureReader capture, CaptureReplayOptions options, double speed, CancellationToken cancellation)
    {
        await Task.WhenAll(a.StartAsync(cancellation), b.StartAsync(cancellation));
        using var stop = new CancellationTokenSource();
        _elapsed.Start();
        var sampling = SampleAsync(stop.Token);
        long messageCount;
        try
        {
            var ends = await ReplayAsync(capture, options, speed, cancellation);
            messageCount = ends.Values.Sum();
            Say(CommandText($"{messageCount:N0} messages sent; waiting until both have stored them"));
            while (!await a.HasStoredAsync(ends, stop.Token) || !await b.HasStoredAsync(ends, stop.Token))
            {
                ThrowIfEnded(a);
                ThrowIfEnded(b);
                await Task.Delay(200, stop.Token);
            }
        }
        finally
        {
            _elapsed.Stop();
            await SampleOnceAsync(CancellationToken.None);
            await stop.CancelAsync();
            await sampling;
        }

        await Task.WhenAll(a.StopAsync(), b.StopAsync());
        Say("comparing the views");
        var comparer = new StoreComparer(
            sql => a.QueryAsync(sql, CancellationToken.None), sql => b.QueryAsync(sql, CancellationToken.None));
        var views = await comparer.CompareAsync();
        return new ShadowResult(views, comparer.Differences, [BillOf(a.Name), BillOf(b.Name)], messageCount, _elapsed.Elapsed);
    }

    private async Task<Dictionary<int,
        long>> ReplayAsync(CaptureReader capture, CaptureReplayOptions options, double speed, CancellationToken cancellation)
    {
        using var producer = new TopicProducer(new ProducerOptions { Bootstrap = bootstrap, Topic = topic }, SlowerPositionsAsync);
        using var replayer = new CaptureReplayer(options, producer, new ReplayClock(TimeProvider.System, speed));
        var replaying = replayer.RunAsync([ReadAhead<CapturedMessage>.Of(CaptureMerge.Of(capture))], cancellation);
        while (await Task.WhenAny(replaying, Task.Delay(_sampleInterval, CancellationToken.None)) != replaying)
        {
            ThrowIfEnded(a);
            ThrowIfEnded(b);
            Say(CommandText($"{_elapsed.Elapsed.TotalSeconds,6:0.0} s {producer.Delivered.MessageCount,14:N0} messages"));
        }

        await replaying;
        if (producer.Delivered.FailedMessageCount > 0)
        {
            throw new IOException($"The broker did not take {producer.Delivered.FailedMessageCount} messages: {producer.Problem}");
        }

        return producer.NextOffsets;
    }

    /// <summary>The position of whoever is behind: no partition runs away from either.</summary>
    private async ValueTask<IReadOnlyList<ConsumerPosition>> SlowerPositionsAsync(CancellationToken cancellation)
    {
        var left = await a.Positions.ReadAsync(cancellation);
        var right = await b.Positions.ReadAsync(cancellation);
        return [.. left.Join(right, position => (position.Topic, position.Partition), position => (position.Topic, position.Partition),
            (one, other) => one.NextOffset < other.NextOffset ? one : other)];
    }

    private async Task SampleAsync(CancellationToken cancellation)
    {
        try
        {
            while (true)
            {
                await SampleOnceAsync(cancellation);
                await Task.Delay(_sampleInterval, cancellation);
            }
        }
        catch (OperationCanceledException)
        {
            // The run is over.
        }
    }

    private async Task SampleOnceAsync(CancellationToken cancellation)
    {
        foreach (var pipeline in (WeirPipeline[])[a, b])
        {
            if (pipeline.Process?.ReadBill() is { } bill && await pipeline.ReadMetricsAsync(cancellation) is { } metrics)
            {
                lock (_samples)
                {
                    _samples[pipeline.Name].Add((
                        _elapsed.Elapsed.TotalSeconds, metrics.GetValueOrDefault("weir_writer_freshness_seconds"),
                        metrics.GetValueOrDefault("weir_writer_encoded_bytes_total"), bill));
                }
            }
        }
    }

    private PipelineBill BillOf(string name)
    {
        var samples = _samples[name];
        var last = samples.Count > 0 ? samples[^1].Bill : new ProcessBill(0, 0, 0, 0);
        return new PipelineBill(
            name, last.CpuSeconds, last.PeakBytes, last.WrittenBytes, samples.Select(sample => sample.SentBytes).DefaultIfEmpty().Max(),
            samples.Select(sample => sample.Freshness).DefaultIfEmpty().Average(),
                samples.Select(sample => sample.Freshness).DefaultIfEmpty().Max(),
            [.. samples.Select(sample => (sample.At, sample.Bill.CpuSeconds, (double)sample.Bill.ResidentBytes))]);
    }

    private static void ThrowIfEnded(WeirPipeline pipeline)
    {
        if (pipeline.Process is null)
        {
            throw new IOException($"weir {pipeline.Name} ended by itself.");
        }
    }

    private static string CommandText(FormattableString text) => FormattableString.Invariant(text);
}
