using Weir.Core.Buffers;
using Weir.Core.Telemetry;
using Weir.Host.Telemetry;

namespace Weir.Host.Diagnosis;

/// <summary>Reads all stages every second or so, keeps the last readings, and says what is wrong.</summary>
/// <remarks>A thread of its own, <c>weir-diagnosis</c>; it only reads snapshots, off the data path. <see cref="Report"/> is for any thread.</remarks>
internal sealed class DiagnosisEngine : IDisposable
{
    /// <summary>Readings of a window.</summary>
    private const int FramesPerWindow = 10;

    private static readonly TimeSpan _intervalMin = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan _intervalMax = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan _historyMin = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan _cardinalityInterval = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan _joinTimeout = TimeSpan.FromSeconds(5);

    private readonly WeirOptions _options;
    private readonly MemoryBudget _budget;
    private readonly Func<HostSnapshot> _read;
    private readonly IReadOnlyList<FlowProbe> _probes;
    private readonly IReadOnlyList<string> _tags;
    private readonly InsertLog? _insertLog;
    private readonly TimeProvider _time;
    private readonly TimeSpan _window;
    private readonly TimeSpan _interval;
    private readonly Lock _readLock = new(); // A reading belongs to one thread: this one, or that of the tables.
    private readonly ThreadTimes _threads = new();
    private readonly List<DiagnosisFrame> _frames = []; // The engine's thread.
    private readonly FindingLog _log;
    private readonly ManualResetEventSlim _stop = new();
    private readonly long _startedAt;
    private readonly Thread _thread;
    private TimeSpan _cardinalityAt = _cardinalityInterval;
    private DiagnosisReport _report = new("healthy", new FlowLimit("input", "the process has just started"), null, 0, []);
    private DiagnosisFrame? _lastFrame;

    /// <summary>Makes an engine; <see cref="Start"/> starts it.</summary>
    /// <param name="options">What the process runs with.</param>
    /// <param name="read">Reads all stages.</param>
    /// <param name="probes">The workers' probes.</param>
    /// <param name="tags">Tags of the finest view, in its order.</param>
    /// <param name="budget">Memory of the stages.</param>
    /// <param name="time">The process's clock.</param>
    /// <param name="logger">Gets findings that begin and end.</param>
    /// <param name="insertLog">Asked while inserts bound the flow; null for nobody.</param>
    public DiagnosisEngine(
        WeirOptions options,
        Func<HostSnapshot> read,
        IReadOnlyList<FlowProbe> probes,
        IReadOnlyList<string> tags,
        MemoryBudget budget,
        TimeProvider time,
        ILogger logger,
        InsertLog? insertLog = null)
    {
        _insertLog = insertLog;
        _options = options;
        _read = read;
        _probes = probes;
        _tags = tags;
        _budget = budget;
        _time = time;
        _window = options.Telemetry.DiagnosisWindow;
        _interval = TimeSpan.FromTicks(Math.Clamp(_window.Ticks / FramesPerWindow, _intervalMin.Ticks, _intervalMax.Ticks));
        _log = new FindingLog(logger);
        _startedAt = time.GetTimestamp();
        _thread = new Thread(Run) { Name = "weir-diagnosis", IsBackground = true, Priority = ThreadPriority.AboveNormal };
    }

    /// <summary>What is wrong now.</summary>
    public DiagnosisReport Report => Volatile.Read(ref _report);

    /// <summary>The reading that was made last; null before the first.</summary>
    public DiagnosisFrame? LastFrame => Volatile.Read(ref _lastFrame);

    /// <summary>Starts the thread.</summary>
    public void Start() => _thread.Start();

    /// <summary>Ends the thread.</summary>
    public void Dispose()
    {
        _stop.Set();
        if ((_thread.ThreadState & ThreadState.Unstarted) != 0 || _thread.Join(_joinTimeout))
        {
            _stop.Dispose();
        }
    }

    private void Run()
    {
        do
        {
            Step();
        }
        while (!_stop.Wait(_interval));
    }

    /// <summary>Makes one reading and looks at the window that ends with it.</summary>
    internal void Step()
    {
        var frame = Read();
        _frames.Add(frame);
        Volatile.Write(ref _lastFrame, frame);
        var history = _window > _historyMin ? _window : _historyMin;
        _frames.RemoveAll(old => frame.Elapsed - old.Elapsed > history + _interval);
        var frames = _frames.Where(old => frame.Elapsed - old.Elapsed <= _window).ToList();
        if (frames.Count >= 3 && frames[^1].Elapsed > frames[0].Elapsed)
        {
            var window = new DiagnosisWindow(_options, frames, _frames, _probes) { InsertLog = _insertLog?.Last };
            if (_insertLog is not null && StageLoad.InsertBusy(window) >= StageLoad.BusyMin)
            {
                _ = _insertLog.AskAsync(); // Its answer is evidence of the next step; nothing waits for it.
            }

            var report = DiagnosisRules.Evaluate(window);
            Volatile.Write(ref _report, report with { Findings = _log.Date(report.Findings, frame.Time) });
        }
    }

    /// <summary>Makes one reading. Any thread.</summary>
    public DiagnosisFrame Read()
    {
        lock (_readLock)
        {
            return ReadFrame();
        }
    }

    private DiagnosisFrame ReadFrame()
    {
        var sums = _tags.Select(_ => new HyperLogLog()).ToList();
        foreach (var probe in _probes)
        {
            probe.AddCardinalities(sums);
        }

        var elapsed = _time.GetElapsedTime(_startedAt);
        if (elapsed >= _cardinalityAt)
        {
            _cardinalityAt = elapsed + _cardinalityInterval;
            foreach (var probe in _probes)
            {
                probe.EndInterval();
            }
        }

        return new DiagnosisFrame(
            _time.GetUtcNow(),
            elapsed,
            _read(),
            ProcessReading.Read(_threads, _budget),
            [.. _probes.Select(probe => probe.SampledCount)],
            [.. _tags.Select((tag, index) => (tag, sums[index].Estimate()))]);
    }
}
