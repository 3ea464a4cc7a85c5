namespace Weir.Tests.Support.Agents;

/// <summary>tcpdump on the loopback interface, into a file.</summary>
internal sealed class PacketCapture : IDisposable
{
    private readonly AgentProcess _tcpdump;

    private PacketCapture(string file, string filter)
    {
        // Immediate mode: otherwise packets of the last moments stay in the kernel when tcpdump is stopped. Its buffer then has slots
        // of the snapshot length, so only headers are kept, which is all that is counted: with whole packets it held 64 and dropped some.
        _tcpdump = AgentProcess.Start("tcpdump", "-i", "lo", "-Z", "root", "--immediate-mode", "-s", "256", "-B", "16384", "-w", file, filter);
        _tcpdump.WaitFor("listening on");
    }

    /// <summary>Starts to capture what the filter lets through; returns when it does.</summary>
    public static PacketCapture Start(string file, string filter) => new(file, filter);

    /// <summary>Stops and checks that the kernel dropped nothing.</summary>
    public void Stop()
    {
        _tcpdump.Stop();
        _tcpdump.WaitFor("0 packets dropped by kernel");
    }

    /// <inheritdoc/>
    public void Dispose() => _tcpdump.Dispose();
}
