using Microsoft.Extensions.Logging;
using Weir.Core.Model;
using Weir.Core.Telemetry;

namespace Weir.Ingest;

/// <summary>Where dead letters are written: a topic or a directory.</summary>
/// <remarks>One thread, the queue's; it may wait.</remarks>
internal interface IDeadLetterStore : IDisposable
{
    /// <summary>Takes a letter; <paramref name="done"/> is called, on any thread, with an error or null when its fate is known.</summary>
    void Write(DeadLetter letter, Action<string?> done);

    /// <summary>Waits until the fate of all letters is known, at most <paramref name="timeout"/>.</summary>
    void Flush(TimeSpan timeout);
}

/// <summary>Letters on their way to a topic or directory. Offering one never waits: what cannot be taken is counted as not written.</summary>
/// <remarks>Any thread offers; a thread of its own writes.</remarks>
internal sealed class DeadLetterQueue : IDisposable
{
    /// <summary>Letters that wait.</summary>
    internal const int LettersMax = 10_000;

    /// <summary>Bytes of the letters that wait.</summary>
    internal const long BytesMax = 64L << 20;

    /// <summary>Index of late records among the counters; the others are those of <see cref="DecodeStatus"/>.</summary>
    internal static readonly int LateIndex = DecodeStatuses.Count;

    private static readonly TimeSpan _flushTimeout = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan _logInterval = TimeSpan.FromSeconds(10);

    private readonly Lock _lock = new();
    private readonly Queue<DeadLetter> _letters = new();
    private readonly SemaphoreSlim _ready = new(0);
    private readonly long[] _writtenCounts = new long[DecodeStatuses.Count + 1];
    private readonly long[] _unwrittenCounts = new long[DecodeStatuses.Count + 1];
    private readonly DeadLetterOptions _options;
    private readonly Func<IDeadLetterStore> _open;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly LogLimiter _errorLog = new(_logInterval);
    private readonly long _startTimestamp;
    private Thread? _thread;
    private TimeSpan _rateAt;
    private double _tokens;
    private long _bytes;
    private bool _isStopping;

    /// <summary>Makes a queue; nothing is opened before <see cref="Start"/>.</summary>
    public DeadLetterQueue(DeadLetterOptions options, Func<IDeadLetterStore> open, TimeProvider time, ILogger logger)
    {
        _options = options;
        _open = open;
        _time = time;
        _logger = logger;
        _startTimestamp = time.GetTimestamp();
        _tokens = options.RateMax;
    }

    /// <summary>The queue that the options name; null when letters go nowhere.</summary>
    public static DeadLetterQueue? Create(IngestOptions options, TimeProvider time, ILogger logger) => options.DeadLetters switch
    {
        { Topic: { } topic } letters => new DeadLetterQueue(letters, () => new TopicDeadLetters(options, topic), time, logger),
        { Directory: { } directory } letters =>
            new DeadLetterQueue(letters, () => new DirectoryDeadLetters(directory, letters.DirectoryBytesMax, time), time, logger),
        _ => null,
    };

    /// <summary>Starts to write.</summary>
    public void Start()
    {
        _thread = new Thread(Run) { Name = "dead letters", IsBackground = true };
        _thread.Start();
    }

    /// <summary>True when a letter of this size has room now, and takes one of the rate's tokens; asked before its bytes are copied.</summary>
    public bool TryReserve(int valueBytes)
    {
        lock (_lock)
        {
            var now = _time.GetElapsedTime(_startTimestamp);
            _tokens = Math.Min(_options.RateMax, _tokens + ((now - _rateAt).TotalSeconds * _options.RateMax));
            _rateAt = now;
            if (_isStopping || _tokens < 1 || _letters.Count >= LettersMax || _bytes + valueBytes > BytesMax)
            {
                return false;
            }

            _tokens--;
            return true;
        }
    }

    /// <summary>Takes a letter for which <see cref="TryReserve"/> said true.</summary>
    public void Add(DeadLetter letter)
    {
        lock (_lock)
        {
            _letters.Enqueue(letter);
            _bytes += letter.Value.Length;
        }

        _ready.Release();
    }

    /// <summary>Counts records whose letter was not taken.</summary>
    public void CountUnwritten(int index, long recordCount) => Interlocked.Add(ref _unwrittenCounts[index], recordCount);

    /// <summary>Gives the counters to a scrape.</summary>
    public void Collect(MetricReader reader)
    {
        for (var index = (int)DecodeStatus.Ok + 1; index < _writtenCounts.Length; index++)
        {
            var reason = index == LateIndex ? DeadLetter.LateReason : ((DecodeStatus)index).Label();
            reader.Read(WeirMeter.IngestDeadLettersWrittenTotal, Interlocked.Read(ref _writtenCounts[index]), reason);
            reader.Read(WeirMeter.IngestDeadLettersUnwrittenTotal, Interlocked.Read(ref _unwrittenCounts[index]), reason);
        }
    }

    /// <summary>Records whose letters were written, and those whose were not.</summary>
    public (long Written, long Unwritten) Counts() =>
        (_writtenCounts.Sum(), _unwrittenCounts.Sum());

    /// <summary>Writes what waits, for a few seconds at most, and ends.</summary>
    public void Dispose()
    {
        lock (_lock)
        {
            _isStopping = true;
        }

        _ready.Release();
        if (_thread is null || _thread.Join(_flushTimeout * 2))
        {
            _ready.Dispose();
        }
    }

    private void Run()
    {
        try
        {
            using var store = _open();
            while (Take() is { } letter)
            {
                store.Write(letter, error => Done(letter, error));
            }

            store.Flush(_flushTimeout);
        }
        catch (Exception error) // The thread's top frame. Letters are a help, not the account: the pipeline goes on without them.
        {
            Log(error.Message);
            while (Take() is { } letter)
            {
                Done(letter, error.Message);
            }
        }
    }

    private DeadLetter? Take()
    {
        _ready.Wait();
        lock (_lock)
        {
            if (!_letters.TryDequeue(out var letter))
            {
                return null; // Woken by the stop, after the last letter.
            }

            _bytes -= letter.Value.Length;
            return letter;
        }
    }

    private void Done(DeadLetter letter, string? error)
    {
        Interlocked.Add(ref (error is null ? _writtenCounts : _unwrittenCounts)[IndexOf(letter.Reason)], letter.RecordCount);
        if (error is not null)
        {
            Log(error);
        }
    }

    private void Log(string error)
    {
        bool isPassed;
        long heldBackCount;
        lock (_errorLog)
        {
            isPassed = _errorLog.TryPass(_time.GetElapsedTime(_startTimestamp), out heldBackCount);
        }

        if (isPassed)
        {
            WeirLog.DeadLettersUnwritten(_logger, _options.Topic ?? _options.Directory ?? "", error, heldBackCount);
        }
    }

    private static int IndexOf(string reason)
    {
        for (var status = 0; status < DecodeStatuses.Count; status++)
        {
            if (((DecodeStatus)status).Label() == reason)
            {
                return status;
            }
        }

        return LateIndex;
    }
}
