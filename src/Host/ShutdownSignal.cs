using System.Runtime.InteropServices;
using Weir.Host.Commands;

namespace Weir.Host;

/// <summary>SIGTERM and Ctrl-C as a token: the first one asks for a stop, a second Ctrl-C ends the process at once.</summary>
/// <remarks>Signals arrive on a thread of the runtime; all members may be used from any thread.</remarks>
internal sealed partial class ShutdownSignal : IDisposable
{
    private readonly CancellationTokenSource _stopping = new();
    private readonly Action<int> _exit;
    private PosixSignalRegistration[] _registrations = [];
    private int _signalCount;

    /// <summary>Makes a signal that only <see cref="Receive"/> raises.</summary>
    /// <param name="exit">Ends the process with a code, without waiting for anything.</param>
    internal ShutdownSignal(Action<int> exit) => _exit = exit;

    /// <summary>Cancelled when a stop was asked for.</summary>
    public CancellationToken Token => _stopping.Token;

    /// <summary>Takes the signals of this process until it is disposed.</summary>
    public static ShutdownSignal OfProcess()
    {
        var signal = new ShutdownSignal(ExitNow);
        signal._registrations =
        [
            PosixSignalRegistration.Create(PosixSignal.SIGINT, signal.Handle),
            PosixSignalRegistration.Create(PosixSignal.SIGTERM, signal.Handle),
        ];
        return signal;
    }

    /// <summary>Waits until a stop is asked for.</summary>
    public async Task WaitAsync()
    {
        var asked = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var registration = Token.Register(asked.SetResult);
        await asked.Task;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var registration in _registrations)
        {
            registration.Dispose();
        }

        _stopping.Dispose();
    }

    /// <summary>Takes one signal. A SIGTERM after the first signal changes nothing: the stop is on its way.</summary>
    internal void Receive(PosixSignal signal)
    {
        if (Interlocked.Increment(ref _signalCount) == 1)
        {
            _stopping.Cancel();
        }
        else if (signal == PosixSignal.SIGINT)
        {
            _exit(ExitCodes.Interrupted);
        }
    }

    private void Handle(PosixSignalContext context)
    {
        context.Cancel = true; // The runtime would end the process.
        Receive(context.Signal);
    }

    // Environment.Exit runs exit handlers, of native libraries too, and waits for them: a user who asks twice wants none of that.
    [LibraryImport("libc", EntryPoint = "_exit")]
    private static partial void ExitNow(int code);
}
