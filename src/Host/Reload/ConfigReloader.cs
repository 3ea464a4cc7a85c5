using System.Runtime.InteropServices;
using Weir.Core.Telemetry;
using Weir.Host.Options;

namespace Weir.Host.Reload;

/// <summary>
/// Takes a changed configuration while the process runs: on SIGHUP, when the file has changed, and when <c>weir reload</c> asks.
/// A file with an error is refused whole.
/// </summary>
/// <remarks>
/// <para>
/// The log's level changes at once. Every other option of the pipeline changes at a cut: the pipeline is drained, so that nothing
/// open is lost, and built anew with the new options, in the same process. The log's format is chosen when the process starts.
/// </para>
/// <para>Any thread; one reload at a time.</para>
/// </remarks>
internal sealed class ConfigReloader : IMetricSource, IDisposable
{
    /// <summary>How often the file is looked at. A ConfigMap takes up to a minute to reach a pod; this adds little.</summary>
    private static readonly TimeSpan _pollInterval = TimeSpan.FromSeconds(2);

    private static readonly HashSet<string> _live = ["log.level"];
    private static readonly HashSet<string> _restart = ["log.format"];

    private readonly Func<LoadedOptions?> _read;
    private readonly Func<string?> _readText;
    private readonly LogLevelSwitch _level;
    private readonly Func<WeirOptions, CancellationToken, Task<IReadOnlyList<string>>> _findObstacles;
    private readonly ILogger _logger;
    private readonly TimeProvider _time;
    private readonly SemaphoreSlim _one = new(1);
    private readonly CancellationTokenSource _stopping = new();
    private LoadedOptions _loaded; // Says where each value comes from.
    private PosixSignalRegistration? _hangUp;
    private Task _watching = Task.CompletedTask;
    private TaskCompletionSource _rebuild = NewSignal();
    private long _appliedCount;
    private long _refusedCount;
    private bool _isCurrent = true;
    private int _restartCount;
    private string? _appliedText; // The text that was read last, taken or refused: the same one is not tried again by itself.

    /// <summary>Makes a reloader; <see cref="Start"/> begins to look.</summary>
    /// <param name="loaded">What the process was started with.</param>
    /// <param name="read">Reads file and environment anew; null when the file cannot be read.</param>
    /// <param name="readText">The text of the file; null when it cannot be read.</param>
    /// <param name="level">The log's level.</param>
    /// <param name="findObstacles">What stands between the tables and new options; empty for nothing.</param>
    /// <param name="time">The process's clock.</param>
    /// <param name="logger">Where each reload is told.</param>
    public ConfigReloader(
        LoadedOptions loaded,
        Func<LoadedOptions?> read,
        Func<string?> readText,
        LogLevelSwitch level,
        Func<WeirOptions, CancellationToken, Task<IReadOnlyList<string>>> findObstacles,
        TimeProvider time,
        ILogger logger)
    {
        Options = loaded.Options;
        _loaded = loaded;
        _read = read;
        _readText = readText;
        _level = level;
        _findObstacles = findObstacles;
        _time = time;
        _logger = logger;
    }

    /// <summary>The options that are in force, or will be when the pipeline has been built anew.</summary>
    public WeirOptions Options { get; private set; }

    /// <summary><see cref="Options"/> as text, secrets masked, with where each value comes from.</summary>
    public string Configuration => OptionsPrinter.Print(_loaded with { Options = Options });

    /// <summary>Ends when the pipeline is to be drained and built anew with <see cref="Options"/>.</summary>
    public Task RebuildWanted => Volatile.Read(ref _rebuild).Task;

    /// <summary>Begins to look at the file and to take SIGHUP.</summary>
    public void Start()
    {
        _hangUp = PosixSignalRegistration.Create(PosixSignal.SIGHUP, context =>
        {
            context.Cancel = true; // The runtime would end the process.
            _ = ReloadAsync("SIGHUP", CancellationToken.None);
        });
        _watching = WatchAsync();
    }

    /// <summary>Says that the pipeline is built anew; the next change asks again.</summary>
    public void Rebuilt() => Volatile.Write(ref _rebuild, NewSignal());

    /// <summary>Says that the pipeline does not start with the new options, and runs with others again.</summary>
    public void RebuildFailed(WeirOptions inForce)
    {
        Options = inForce;
        Interlocked.Increment(ref _refusedCount);
        Volatile.Write(ref _isCurrent, false);
    }

    /// <summary>Reads the configuration and applies what has changed.</summary>
    /// <param name="cause">Who asks, for the log.</param>
    /// <param name="cancel">Ends the waiting for the server.</param>
    public async Task<ReloadReport> ReloadAsync(string cause, CancellationToken cancel)
    {
        await _one.WaitAsync(cancel);
        try
        {
            var report = await ReloadCoreAsync(cancel);
            if (!report.IsRefused)
            {
                Volatile.Write(ref _restartCount, report.NeedRestart.Count);
            }

            _ = report.IsRefused ? Interlocked.Increment(ref _refusedCount) : Interlocked.Increment(ref _appliedCount);
            Volatile.Write(ref _isCurrent, !report.IsRefused); // The last of them: who sees it sees the others.
            if (report.IsRefused)
            {
                WeirLog.ReloadRefused(_logger, cause, string.Join("; ", report.Problems));
            }
            else
            {
                WeirLog.Reloaded(_logger, cause, report.ToString());
            }

            return report;
        }
        finally
        {
            _one.Release();
        }
    }

    /// <inheritdoc/>
    public void Collect(MetricReader reader)
    {
        reader.Read(WeirMeter.ConfigReloadsTotal, Interlocked.Read(ref _appliedCount), "applied");
        reader.Read(WeirMeter.ConfigReloadsTotal, Interlocked.Read(ref _refusedCount), "refused");
        reader.Read(WeirMeter.ConfigIsCurrent, Volatile.Read(ref _isCurrent) ? 1 : 0);
        reader.Read(WeirMeter.ConfigRestartOptions, Volatile.Read(ref _restartCount));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _hangUp?.Dispose();
        _stopping.Cancel();
        _watching.GetAwaiter().GetResult();
        _stopping.Dispose();
        _one.Dispose();
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private async Task<ReloadReport> ReloadCoreAsync(CancellationToken cancel)
    {
        Volatile.Write(ref _appliedText, _readText());
        if (_read() is not { } loaded)
        {
            return ReloadReport.Refused("the file cannot be read");
        }

        if (loaded.Errors.Count > 0)
        {
            return ReloadReport.Refused(loaded.Errors.Select(error => error.ToString()));
        }

        var changed = OptionSpecs.All.Where(spec => spec.Differs(Options, loaded.Options)).Select(spec => spec.Path).ToList();
        var atCut = changed.Where(path => !_live.Contains(path) && !_restart.Contains(path)).ToList();
        if (atCut.Count > 0)
        {
            var obstacles = await _findObstacles(loaded.Options, cancel);
            if (obstacles.Count > 0)
            {
                return ReloadReport.Refused(obstacles);
            }
        }

        // What needs a new process keeps its old value, so that the next comparison still names it.
        Options = loaded.Options with { Log = loaded.Options.Log with { Format = Options.Log.Format } };
        _loaded = loaded;
        _level.Level = Options.Log.Level;
        if (atCut.Count > 0)
        {
            Volatile.Read(ref _rebuild).TrySetResult();
        }

        return new ReloadReport([.. changed.Where(_live.Contains)], atCut, [.. changed.Where(_restart.Contains)], []);
    }

    /// <summary>
    /// Looks at the text of the file, not at events of the file system: a ConfigMap is swapped by a link two levels up, and no event
    /// tells of that. A change counts when two looks in a row see the same, so that a file half written is not taken.
    /// </summary>
    private async Task WatchAsync()
    {
        var seen = _readText();
        Volatile.Write(ref _appliedText, seen);
        using var timer = new PeriodicTimer(_pollInterval, _time);
        try
        {
            while (await timer.WaitForNextTickAsync(_stopping.Token))
            {
                var text = _readText();
                if (text is not null && text == seen && text != Volatile.Read(ref _appliedText))
                {
                    await ReloadAsync("the file has changed", _stopping.Token);
                }

                seen = text;
            }
        }
        catch (OperationCanceledException)
        {
            // The end of the process.
        }
    }
}
