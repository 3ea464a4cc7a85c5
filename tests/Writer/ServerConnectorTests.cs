using System.Net;
using System.Net.Sockets;
using Weir.Tests.Support;
using Weir.Writer;
using Xunit;

namespace Weir.Tests.Writer;

/// <summary>Names that resolve to several addresses, change, time out, or for a while do not exist.</summary>
public sealed class ServerConnectorTests : IDisposable
{
    private static readonly IPAddress _dead = IPAddress.Parse("127.0.0.3");
    private static readonly IPAddress _alive = IPAddress.Parse("127.0.0.2");
    private readonly TcpListener _listener = new(_alive, 0);
    private readonly FakeResolver _resolver = new();

    public ServerConnectorTests() => _listener.Start();

    public void Dispose() => _listener.Dispose();

    [Fact]
    public async Task All_addresses_of_a_name_are_tried()
    {
        _resolver.Answer = [_dead, _alive];

        await using var stream = await NewConnector().ConnectAsync(EndPoint(), default);

        Assert.True(stream.CanWrite);
    }

    [Fact]
    public async Task The_last_good_address_is_kept_when_the_resolver_says_that_the_name_does_not_exist()
    {
        var connector = NewConnector();
        _resolver.Answer = [_dead, _alive];
        await (await connector.ConnectAsync(EndPoint(), default)).DisposeAsync();
        _resolver.Answer = null;
        await (await connector.ConnectAsync(EndPoint(), default)).DisposeAsync();
        _resolver.Answer = [];
        await (await connector.ConnectAsync(EndPoint(), default)).DisposeAsync();

        Assert.Equal(2, connector.ResolveFailedCount);
        Assert.Equal(3, _resolver.AskedCount); // Anew for each connection.
    }

    [Fact]
    public async Task A_resolver_that_does_not_answer_is_left_after_a_third_of_the_time_out()
    {
        var time = new ManualTimeProvider();
        var connector = new ServerConnector(_resolver, TimeSpan.FromSeconds(6), time);
        _resolver.Answer = [_alive];
        await (await connector.ConnectAsync(EndPoint(), default)).DisposeAsync();
        _resolver.IsSilent = true;

        var connecting = connector.ConnectAsync(EndPoint(), default).AsTask();
        time.Advance(TimeSpan.FromSeconds(2));
        await using var stream = await connecting;

        Assert.True(stream.CanWrite);
        Assert.Equal(1, connector.ResolveFailedCount);
    }

    [Fact]
    public async Task A_name_that_never_resolved_is_unreachable_and_one_that_moved_is_followed()
    {
        var connector = NewConnector();
        var error = await Assert.ThrowsAsync<SocketException>(() => connector.ConnectAsync(EndPoint(), default).AsTask());
        Assert.Equal(SocketError.HostNotFound, error.SocketErrorCode);

        _resolver.Answer = [_dead];
        await Assert.ThrowsAsync<SocketException>(() => connector.ConnectAsync(EndPoint(), default).AsTask());
        _resolver.Answer = [_alive];
        await (await connector.ConnectAsync(EndPoint(), default)).DisposeAsync();
    }

    [Fact]
    public async Task A_sink_goes_on_while_its_name_falsely_does_not_exist()
    {
        await using var fake = new FakeHttpServer(_ => (200, "readonly\t0\n"));
        _resolver.Answer = [IPAddress.Loopback];
        var options = new WriterOptions { Url = new Uri($"http://clickhouse.example:{fake.Url.Port}") };
        await using var sink = new ClickHouseHttpSink(options, TimeProvider.System, _resolver);
        await sink.ConnectAsync(default);
        _resolver.Answer = null;

        Assert.Equal(InsertReply.Stored, await sink.InsertAsync(TestBlocks.Make(TestBlocks.Schema.Views[0], 10), default));
        await using var stranger = new ClickHouseHttpSink(options, TimeProvider.System, _resolver);
        var error = await Assert.ThrowsAsync<ClickHouseException>(() => stranger.ConnectAsync(default));
        Assert.Equal((InsertOutcome.NotNow, ReplyCause.Unreachable), (error.Reply.Outcome, error.Reply.Cause));
    }

    [Fact]
    public async Task What_one_server_does_not_take_the_next_one_gets()
    {
        var refused = new List<string>();
        await using var first = new FakeHttpServer(request =>
        {
            refused.Add(request);
            return request.Contains("INSERT", StringComparison.Ordinal)
                ? (500, "Code: 252, e.displayText() = DB::Exception: Too many parts (300)")
                : (200, "readonly\t0\n");
        });
        await using var second = new FakeHttpServer(request => (200, request.Contains("INSERT", StringComparison.Ordinal) ? "" : "readonly\t0\n"));
        var options = new WriterOptions { Url = null, Urls = [first.Url, second.Url] };
        await using var sink = new ClickHouseHttpSink(options, TimeProvider.System);
        var block = TestBlocks.Make(TestBlocks.Schema.Views[0], 10);
        await sink.ConnectAsync(default);

        Assert.Equal(252, (await sink.InsertAsync(block, default)).Code);
        Assert.Equal(1, sink.Target);
        await Assert.ThrowsAsync<InvalidOperationException>(() => sink.InsertAsync(block, default)); // It was not connected yet.
        await sink.ConnectAsync(default);
        Assert.Equal(InsertReply.Stored, await sink.InsertAsync(block, default));
        Assert.Equal(1, sink.Target); // It stays while it works.
        Assert.Equal(1, refused.Count(request => request.Contains("INSERT", StringComparison.Ordinal)));
    }

    private DnsEndPoint EndPoint() => new("clickhouse.example", ((IPEndPoint)_listener.LocalEndpoint).Port);

    private ServerConnector NewConnector() => new(_resolver, TimeSpan.FromSeconds(5), TimeProvider.System);

    private sealed class FakeResolver : INameResolver
    {
        /// <summary>Null: the name does not exist.</summary>
        internal IPAddress[]? Answer { get; set; }

        internal bool IsSilent { get; set; }

        internal int AskedCount { get; private set; }

        public Task<IPAddress[]> ResolveAsync(string host, CancellationToken cancel)
        {
            AskedCount++;
            return IsSilent
                ? new TaskCompletionSource<IPAddress[]>().Task
                : Answer is null ? throw new SocketException((int)SocketError.HostNotFound) : Task.FromResult(Answer);
        }
    }
}
