using System.Runtime.InteropServices;

namespace Weir.Loadgen.Commands;

/// <summary>The first Ctrl-C, or SIGTERM, asks for the end and its totals; the second one ends program and children at once.</summary>
/// <remarks>Signals come on one thread of the runtime, one after the other: nothing here waits.</remarks>
internal sealed partial class StopSignals : IDisposable
{
    private readonly CancellationTokenSource _stopping = new();
    private readonly PosixSignalRegistration[] _signals;
    private int _count;

    /// <summary>Takes the signals of this process until it is disposed of.</summary>
    public StopSignals() => _signals =
    [
        PosixSignalRegistration.Create(PosixSignal.SIGINT, Handle),
        PosixSignalRegistration.Create(PosixSignal.SIGTERM, Handle),
    ];

    /// <summary>Cancelled when a stop was asked for.</summary>
    public CancellationToken Token => _stopping.Token;

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var signal in _signals)
        {
            signal.Dispose();
        }

        _stopping.Dispose();
    }

    private void Handle(PosixSignalContext context)
    {
        context.Cancel = true;
        if (Interlocked.Increment(ref _count) == 1)
        {
            Console.Error.WriteLine("stopping; once more ends at once, without totals");
            _ = _stopping.CancelAsync();
            return;
        }

        WeirProgram.KillAll();
        ExitNow(CommandOptions.ExitStopped);
    }

    // Environment.Exit would wait for what runs at the end of a process.
    [LibraryImport("libc", EntryPoint = "_exit")]
    private static partial void ExitNow(int code);
}
