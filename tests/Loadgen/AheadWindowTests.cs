using Weir.Loadgen.Replay;
using Xunit;

namespace Weir.Tests.Loadgen;

public sealed class AheadWindowTests
{
    [Fact]
    public void Bytes_count_until_the_consumer_has_passed_them()
    {
        var window = new AheadWindow(partitionCount: 2);
        window.Sent(1, 100);
        window.Sent(1, 50);
        Assert.Equal(150, window.InFlightBytes);

        window.Delivered(1, offset: 7, 100);
        window.Delivered(1, offset: 8, 50);
        Assert.Equal(0, window.InFlightBytes);
        Assert.Equal(150, window.AheadBytes(1));
        Assert.Equal(0, window.AheadBytes(0));

        window.Passed(1, nextOffset: 8);
        Assert.Equal(50, window.AheadBytes(1));
        window.Passed(1, nextOffset: 9);
        Assert.Equal(0, window.AheadBytes(1));
    }

    [Fact]
    public void A_consumer_faster_than_the_report_leaves_nothing_ahead()
    {
        var window = new AheadWindow(partitionCount: 1);
        window.Sent(0, 100);
        window.Passed(0, nextOffset: 1);
        window.Delivered(0, offset: 0, 100);

        Assert.Equal(0, window.AheadBytes(0));
    }

    [Fact]
    public void A_refused_message_and_an_unknown_partition_leave_nothing_ahead()
    {
        var window = new AheadWindow(partitionCount: 1);
        window.Sent(0, 100);
        window.Failed(0, 100);
        window.Passed(5, nextOffset: 1);

        Assert.Equal(0, window.AheadBytes(0));
        Assert.Equal(0, window.InFlightBytes);
    }
}
