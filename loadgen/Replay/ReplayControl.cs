using System.Globalization;
using System.Runtime.InteropServices;

namespace Weir.Loadgen.Replay;

/// <summary>Pauses, resumes and changes the speed of a running replay: by keys, by signals, and by a file for scripts.</summary>
/// <remarks>
/// Keys: space pauses and resumes, + doubles the speed, - halves it, m is as fast as can be, 1 is the recorded speed, q stops. SIGUSR1
/// pauses
/// and resumes; SIGUSR2 goes back to the first speed. The file holds one word: pause, resume, stop, or a speed such as 0.5 or max; it is
/// read when it
/// has changed.
/// </remarks>
public sealed class ReplayControl : IDisposable
{
    private const int UserSignal1 = 10; // Linux on x86 and ARM.
    private const int UserSignal2 = 12;
    private static readonly TimeSpan _interval = TimeSpan.FromMilliseconds(100);

    private readonly ReplayClock _clock;
    private readonly double _firstSpeed;
    private readonly string? _file;
    private readonly CancellationTokenSource _stop;
    private readonly List<PosixSignalRegistration> _signals = [];
    private readonly Timer _timer;
    private string _lastText = string.Empty;

    /// <summary>Listens.</summary>
    /// <param name="clock">What is controlled.</param>
    /// <param name="file">The file; null for none.</param>
    /// <param name="stop">Cancelled by q and by stop.</param>
    public ReplayControl(ReplayClock clock, string? file, CancellationTokenSource stop)
    {
        ArgumentNullException.ThrowIfNull(clock);
        _clock = clock;
        _firstSpeed = clock.Speed;
        _file = file;
        _stop = stop;
        if (!OperatingSystem.IsWindows())
        {
            _signals.Add(PosixSignalRegistration.Create((PosixSignal)UserSignal1, context =>
            {
                context.Cancel = true;
                _clock.SetPaused(!_clock.IsPaused);
            }));
            _signals.Add(PosixSignalRegistration.Create((PosixSignal)UserSignal2, context =>
            {
                context.Cancel = true;
                _clock.SetSpeed(_firstSpeed);
            }));
        }

        _timer = new Timer(_ => Look(), null, _interval, _interval);
    }

    /// <summary>Obeys one word.</summary>
    /// <returns>False when it is none.</returns>
    public bool TryObey(string word)
    {
        switch (word)
        {
            case "pause":
                _clock.SetPaused(true);
                return true;
            case "resume":
                _clock.SetPaused(false);
                return true;
            case "stop":
                _stop.Cancel();
                return true;
            default:
                if (!TryReadSpeed(word, out var speed))
                {
                    return false;
                }

                _clock.SetSpeed(speed);
                return true;
        }
    }

    /// <summary>Obeys a key; keys that mean nothing do nothing.</summary>
    public void Press(char key)
    {
        switch (key)
        {
            case ' ':
                _clock.SetPaused(!_clock.IsPaused);
                break;
            case '+':
                _clock.SetSpeed(_clock.Speed * 2);
                break;
            case '-':
                _clock.SetSpeed(double.IsPositiveInfinity(_clock.Speed) ? 1 : _clock.Speed / 2);
                break;
            case 'm':
                _clock.SetSpeed(ReplayClock.SpeedMax);
                break;
            case '1':
                _clock.SetSpeed(1);
                break;
            case 'q':
                _stop.Cancel();
                break;
            default:
                break; // Other keys mean nothing.
        }
    }

    /// <summary>Reads a speed: a number above 0, or max.</summary>
    public static bool TryReadSpeed(string text, out double speed)
    {
        speed = ReplayClock.SpeedMax;
        return text == "max" || (double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out speed) && speed > 0);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _timer.Dispose();
        _signals.ForEach(signal => signal.Dispose());
    }

    private void Look()
    {
        while (!Console.IsInputRedirected && Console.KeyAvailable)
        {
            Press(Console.ReadKey(intercept: true).KeyChar);
        }

        if (_file is null || !File.Exists(_file))
        {
            return;
        }

        try
        {
            var text = File.ReadAllText(_file).Trim();
            if (text != _lastText)
            {
                _lastText = text;
                if (!TryObey(text))
                {
                    Console.Error.WriteLine($"{_file}: '{text}' is not pause, resume, stop or a speed");
                }
            }
        }
        catch (IOException)
        {
            // It is being written: it is there at the next look.
        }
    }
}
