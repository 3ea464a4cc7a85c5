using Weir.Core.Faults;
using Weir.Core.Telemetry;
using Weir.Host.Commands;

namespace Weir.Host.Reload;

/// <summary>The pipeline of <c>weir run</c>, from the start to the stop, built anew whenever a reload asks for it.</summary>
/// <remarks>One thread at a time, that of <see cref="RunAsync"/>.</remarks>
internal sealed class PipelineRun(ConfigReloader reloader, ILoggerFactory logs, ShutdownSignal shutdown, Action<WeirHost?> running)
{
    private readonly ILogger _logger = logs.CreateLogger("weir");

    /// <summary>Runs until the signal or a fault; returns an exit code.</summary>
    public async Task<int> RunAsync()
    {
        WeirOptions? before = null;
        while (true)
        {
            reloader.Rebuilt(); // Before the options are read: a reload in between asks for another round.
            var options = reloader.Options;
            try
            {
                if (await RunOnceAsync(options) is { } code)
                {
                    return code;
                }

                before = options;
            }
            catch (Exception error) when (before is not null && error is IOException or CommandException or InvalidOperationException or ArgumentException)
            {
                // Only what shows at the start, such as an address in use: the options themselves were found to be right.
                WeirLog.RebuildFailed(_logger, error.Message);
                var good = before!;
                before = null; // A second failure ends the process.
                reloader.RebuildFailed(good);
                if (await RunOnceAsync(good) is { } code)
                {
                    return code;
                }
            }
        }
    }

    /// <summary>Runs one pipeline to its end; null when another one is to follow.</summary>
    private async Task<int?> RunOnceAsync(WeirOptions options)
    {
        await using var host = WeirHost.Create(options, WeirProgram.Version, logs, FaultClock.OfProcess(), reloader);
        try
        {
            await host.StartAsync(shutdown.Token);
        }
        catch (OperationCanceledException) when (shutdown.Token.IsCancellationRequested)
        {
            return ExitCodes.Ok; // Asked to stop before anything was read.
        }

        running(host);
        await Task.WhenAny(shutdown.WaitAsync(), host.Faulted, reloader.RebuildWanted);
        running(null);
        var isRebuild = !host.Faulted.IsCompleted && !shutdown.Token.IsCancellationRequested;
        var isDrained = await host.StopAsync(isForGood: !isRebuild);
        if (isRebuild && !host.Faulted.IsCompleted && !shutdown.Token.IsCancellationRequested)
        {
            WeirLog.Rebuilding(_logger, host.Snapshot().Writer.Stored.ToString(), isDrained);
            return null;
        }

        WeirLog.Stopped(_logger, host.Snapshot().Writer.Stored.ToString());
        return isDrained && !host.Faulted.IsCompleted ? ExitCodes.Ok : ExitCodes.Failed;
    }
}
