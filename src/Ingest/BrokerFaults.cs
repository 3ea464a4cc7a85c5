using System.Globalization;
using System.Runtime.InteropServices;
using Weir.Core.Faults;

namespace Weir.Ingest;

/// <summary>
/// Faults of <c>weir broker</c>, for tests only: with <c>WEIR_FAULT=broker:3000</c> it goes down at SIGUSR1 and comes up at SIGUSR2,
/// and members of <c>group.protocol=consumer</c> may be silent for 3,000 ms.
/// </summary>
/// <remarks>
/// The broker must be a process of its own for this: children inherit its sockets, so one that starts others cannot close a
/// connection for good.
/// </remarks>
public sealed class BrokerFaults : IDisposable
{
    private const string Prefix = "broker:";
    private const int DownSignal = 10; // SIGUSR1 on Linux.
    private const int UpSignal = 12; // SIGUSR2
    private const int HeartbeatsPerSession = 10;

    private readonly PosixSignalRegistration _down;
    private readonly PosixSignalRegistration _up;

    private BrokerFaults(EmbeddedBroker broker)
    {
        _down = PosixSignalRegistration.Create((PosixSignal)DownSignal, context =>
        {
            context.Cancel = true;
            broker.SetDown();
        });
        _up = PosixSignalRegistration.Create((PosixSignal)UpSignal, context =>
        {
            context.Cancel = true;
            broker.SetUp();
        });
    }

    /// <summary>Prepares the faults that the variable asks for; null without it.</summary>
    /// <exception cref="FormatException">The variable names no number of milliseconds.</exception>
    public static BrokerFaults? OfProcess(EmbeddedBroker broker)
    {
        var text = Environment.GetEnvironmentVariable(FaultPoint.Variable);
        if (text is null || !text.StartsWith(Prefix, StringComparison.Ordinal))
        {
            return null;
        }

        var timeout = TimeSpan.FromMilliseconds(int.Parse(text.AsSpan(Prefix.Length), NumberStyles.None, CultureInfo.InvariantCulture));
        broker.SetConsumerSession(timeout, timeout / HeartbeatsPerSession);
        return new BrokerFaults(broker);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _down.Dispose();
        _up.Dispose();
    }
}
