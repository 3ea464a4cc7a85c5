using System.Runtime.InteropServices;

namespace Weir.Ingest;

/// <summary>Keeps signals from native threads: a thread inherits the mask of the one that makes it.</summary>
/// <remarks>
/// librdkafka does so for its own threads, but not for that of its mock cluster, which ends for ever when a signal interrupts its
/// poll(2): .NET handles SIGCHLD, SIGCONT and SIGWINCH, and the kernel gives them to any thread that takes them.
/// </remarks>
internal static unsafe partial class SignalMask
{
    private const string Libc = "libc";
    private const int SetMask = 2; // SIG_SETMASK on Linux.
    private const int SetBytes = 128; // sigset_t

    /// <summary>Calls <paramref name="create"/> while no signal comes to this thread or to those that it makes.</summary>
    public static nint WithoutSignals(Func<nint> create)
    {
        var all = stackalloc byte[SetBytes];
        var before = stackalloc byte[SetBytes];
        _ = FillSet(all);
        _ = SetThreadMask(SetMask, all, before);
        try
        {
            return create();
        }
        finally
        {
            _ = SetThreadMask(SetMask, before, null);
        }
    }

    [LibraryImport(Libc, EntryPoint = "sigfillset")]
    private static partial int FillSet(byte* set);

    [LibraryImport(Libc, EntryPoint = "pthread_sigmask")]
    private static partial int SetThreadMask(int how, byte* set, byte* before);
}
