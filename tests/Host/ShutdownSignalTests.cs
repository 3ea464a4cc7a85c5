using System.Runtime.InteropServices;
using Weir.Host;
using Xunit;

namespace Weir.Tests.Host;

public sealed class ShutdownSignalTests : IDisposable
{
    private readonly List<int> _exits = [];
    private readonly ShutdownSignal _signal;

    public ShutdownSignalTests() => _signal = new ShutdownSignal(_exits.Add);

    [Theory]
    [InlineData(PosixSignal.SIGINT)]
    [InlineData(PosixSignal.SIGTERM)]
    public async Task The_first_signal_asks_for_a_stop(PosixSignal first)
    {
        Assert.False(_signal.Token.IsCancellationRequested);

        _signal.Receive(first);

        await _signal.WaitAsync();
        Assert.True(_signal.Token.IsCancellationRequested);
        Assert.Empty(_exits);
    }

    [Theory]
    [InlineData(PosixSignal.SIGINT)]
    [InlineData(PosixSignal.SIGTERM)]
    public void A_ctrl_c_after_it_ends_the_process_at_once(PosixSignal first)
    {
        _signal.Receive(first);
        _signal.Receive(PosixSignal.SIGINT);

        Assert.Equal([130], _exits);
    }

    [Fact]
    public void A_second_sigterm_changes_nothing()
    {
        _signal.Receive(PosixSignal.SIGINT);
        _signal.Receive(PosixSignal.SIGTERM);

        Assert.Empty(_exits);
    }

    public void Dispose() => _signal.Dispose();
}
