namespace Weir.Loadgen.Replay;

/// <summary>The time of a recording: it runs at a speed, stands still when paused, and may change its speed while it runs.</summary>
/// <remarks>Any thread. Times are ms since the first message.</remarks>
public sealed class ReplayClock
{
    /// <summary>As fast as can be: nothing is waited for.</summary>
    public const double SpeedMax = double.PositiveInfinity;

    private readonly Lock _lock = new();
    private readonly TimeProvider _time;
    private long _anchor;
    private double _anchorMs;
    private double _speed;
    private bool _isPaused;

    /// <summary>Starts at 0.</summary>
    /// <param name="time">The real clock.</param>
    /// <param name="speed">Recorded seconds for each real one.</param>
    public ReplayClock(TimeProvider time, double speed)
    {
        ArgumentNullException.ThrowIfNull(time);
        CheckSpeed(speed);
        _time = time;
        _speed = speed;
        _anchor = time.GetTimestamp();
    }

    /// <summary>Recorded seconds for each real one.</summary>
    public double Speed
    {
        get
        {
            lock (_lock)
            {
                return _speed;
            }
        }
    }

    /// <summary>True while it stands still.</summary>
    public bool IsPaused
    {
        get
        {
            lock (_lock)
            {
                return _isPaused;
            }
        }
    }

    /// <summary>Changes the speed from now on.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is not above 0.</exception>
    public void SetSpeed(double speed)
    {
        CheckSpeed(speed);
        lock (_lock)
        {
            Anchor();
            _speed = speed;
        }
    }

    /// <summary>Stops or goes on.</summary>
    public void SetPaused(bool isPaused)
    {
        lock (_lock)
        {
            Anchor();
            _isPaused = isPaused;
        }
    }

    /// <summary>The wait for a recorded time is over and it took long, because nobody took messages: the recording goes on from
    /// there.</summary>
    public void Restart(double recordedMs)
    {
        lock (_lock)
        {
            _anchor = _time.GetTimestamp();
            _anchorMs = recordedMs;
        }
    }

    /// <summary>Real seconds until a recorded time; negative when it is past, and infinite while paused.</summary>
    public double SecondsUntil(double recordedMs)
    {
        lock (_lock)
        {
            if (_isPaused)
            {
                return double.PositiveInfinity;
            }

            return double.IsPositiveInfinity(_speed) ? 0 : (recordedMs - NowMs()) / (1_000 * _speed);
        }
    }

    private static void CheckSpeed(double speed) => ArgumentOutOfRangeException.ThrowIfNegativeOrZero(speed);

    private double NowMs() => _isPaused || double.IsPositiveInfinity(_speed)
        ? _anchorMs
        : _anchorMs + (_time.GetElapsedTime(_anchor).TotalMilliseconds * _speed);

    private void Anchor()
    {
        _anchorMs = NowMs();
        _anchor = _time.GetTimestamp();
    }
}
