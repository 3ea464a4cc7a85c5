using Weir.Tests.Support;
using Weir.Writer;
using Xunit;

namespace Weir.Tests.Deploy;

/// <summary>TLS and credentials to ClickHouse, with certificates of the test's own and nginx before the real server.</summary>
[Collection(RealPartsCollection.Name)]
public sealed class TlsTests : IClassFixture<ClickHouseServer>, IDisposable
{
    private readonly ClickHouseServer _server;
    private readonly string _directory = Directory.CreateTempSubdirectory("weir-tls-").FullName;
    private readonly TestAuthority _authority;

    public TlsTests(ClickHouseServer server)
    {
        _server = server;
        _authority = new TestAuthority(_directory, "test-authority");
    }

    public void Dispose()
    {
        _authority.Dispose();
        Directory.Delete(_directory, recursive: true);
    }

    [RealPartFact(RealPart.ClickHouseServer, RealPart.Nginx)]
    public async Task Blocks_go_through_tls_to_a_server_whose_authority_is_named()
    {
        await using var front = await TlsFront.StartAsync(_server.Url, _authority.Issue("good", "127.0.0.1"));
        var options = _server.NewOptions() with { Url = front.Url, TlsCaFile = _authority.CaFile };
        await using var sink = new ClickHouseHttpSink(options, TimeProvider.System);
        var features = await sink.ConnectAsync(default);
        await (await SchemaPlan.ReadAsync(sink, TestBlocks.Schema, options, features, default)).EnsureAsync(sink, default);

        var reply = await sink.InsertAsync(TestBlocks.Make(TestBlocks.Schema.Views[0], 50_000), default);

        Assert.Equal(InsertReply.Stored, reply);
        Assert.Equal("50000", await _server.RunAsync($"SELECT sum(records) FROM {options.Database}.edge_1s"));
    }

    [RealPartTheory(RealPart.ClickHouseServer, RealPart.Nginx)]
    [InlineData("expired", "expired on 20", "renew it")]
    [InlineData("not-yet-valid", "is valid from 20", "this machine's clock says")]
    [InlineData("wrong-host", "the certificate is for other.example and not for 127.0.0.1", "name the server in clickhouse.url")]
    [InlineData("unknown-authority", "is signed by CN=stranger, which clickhouse.tls_ca_file", "put the certificate of its authority into")]
    [InlineData("no-authority-named", "which this machine's authorities do not vouch for", "clickhouse.tls_ca_file")]
    [InlineData("authority-file-missing", "nowhere.crt cannot be read", "PEM")]
    public async Task A_certificate_that_is_not_right_is_refused_in_words_that_say_what_to_do(string what, string problem, string remedy)
    {
        using var stranger = new TestAuthority(_directory, "stranger");
        var files = what switch
        {
            "expired" => _authority.Issue(what, "127.0.0.1", validForDays: -1),
            "not-yet-valid" => _authority.Issue(what, "127.0.0.1", validInDays: 2),
            "wrong-host" => _authority.Issue(what, "other.example"),
            "unknown-authority" => stranger.Issue(what, "127.0.0.1"),
            _ => _authority.Issue(what, "127.0.0.1"),
        };
        await using var front = await TlsFront.StartAsync(_server.Url, files);
        var ca = what switch
        {
            "no-authority-named" => null,
            "authority-file-missing" => Path.Combine(_directory, "nowhere.crt"),
            _ => _authority.CaFile,
        };
        await using var sink = new ClickHouseHttpSink(_server.NewOptions() with { Url = front.Url, TlsCaFile = ca }, TimeProvider.System);

        var error = await Assert.ThrowsAsync<ClickHouseException>(() => sink.ConnectAsync(default));

        Assert.Equal((InsertOutcome.NotNow, ReplyCause.Certificate), (error.Reply.Outcome, error.Reply.Cause));
        Assert.Contains(problem, error.Message, StringComparison.Ordinal);
        Assert.Contains(remedy, error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(ClickHouseServer.Password, error.ToString(), StringComparison.Ordinal);
    }

    [RealPartFact(RealPart.ClickHouseServer, RealPart.Nginx)]
    public async Task A_server_that_asks_for_a_certificate_gets_ours_and_a_renewed_one_with_the_next_connection()
    {
        await using var front = await TlsFront.StartAsync(_server.Url, _authority.Issue("good", "127.0.0.1"), _authority.CaFile);
        using var stranger = new TestAuthority(_directory, "stranger");
        var refused = stranger.Issue("client", "client");
        var options = _server.NewOptions() with
        {
            Url = front.Url, TlsCaFile = _authority.CaFile, TlsCertificateFile = refused.Certificate, TlsKeyFile = refused.Key,
        };
        await using var sink = new ClickHouseHttpSink(options, TimeProvider.System);
        var error = await Assert.ThrowsAsync<ClickHouseException>(() => sink.ConnectAsync(default));
        Assert.Contains("400", error.Message, StringComparison.Ordinal); // nginx answers so to a client whose certificate it does not know.

        _authority.Issue("client", "client"); // The same files.

        // The connection that was refused is closed by nginx; the next one shows what the files hold now.
        await Eventually.TrueAsync(() => CanConnectAsync(sink), "the renewed certificate lets in");
    }

    [RealPartFact(RealPart.ClickHouseServer, RealPart.Nginx)]
    public async Task An_authority_that_is_exchanged_in_its_file_is_trusted_with_the_next_connection()
    {
        using var next = new TestAuthority(_directory, "next-authority");
        await using var front = await TlsFront.StartAsync(_server.Url, next.Issue("renewed", "127.0.0.1"));
        var file = Path.Combine(_directory, "ca.crt");
        File.Copy(_authority.CaFile, file);
        await using var sink = new ClickHouseHttpSink(_server.NewOptions() with { Url = front.Url, TlsCaFile = file }, TimeProvider.System);
        var error = await Assert.ThrowsAsync<ClickHouseException>(() => sink.ConnectAsync(default));
        Assert.Equal(ReplyCause.Certificate, error.Reply.Cause);

        File.Copy(next.CaFile, file, overwrite: true);

        Assert.Equal("18.16.1", (await sink.ConnectAsync(default)).Version);
    }

    [RealPartFact(RealPart.ClickHouseServer)]
    public async Task The_password_file_is_read_for_each_request_and_the_last_password_outlives_a_gap()
    {
        var file = Path.Combine(_directory, "password");
        var options = _server.NewOptions() with { Password = "", PasswordFile = file };
        await using var sink = new ClickHouseHttpSink(options, TimeProvider.System);

        var missing = await Assert.ThrowsAsync<ClickHouseException>(() => sink.ConnectAsync(default));
        Assert.Equal(ReplyCause.Access, missing.Reply.Cause);
        Assert.Contains($"clickhouse.password_file {file} cannot be read", missing.Message, StringComparison.Ordinal);

        await File.WriteAllTextAsync(file, "not-the-password-7\n");
        var wrong = await Assert.ThrowsAsync<ClickHouseException>(() => sink.ConnectAsync(default));
        Assert.Equal(ReplyCause.Access, wrong.Reply.Cause);
        Assert.DoesNotContain("not-the-password-7", wrong.ToString(), StringComparison.Ordinal);

        await File.WriteAllTextAsync(file, $"{ClickHouseServer.Password}\n");
        await sink.ConnectAsync(default);
        File.Delete(file);
        await sink.ConnectAsync(default);
    }

    private static async Task<bool> CanConnectAsync(ClickHouseHttpSink sink)
    {
        try
        {
            return (await sink.ConnectAsync(default)).Version == "18.16.1";
        }
        catch (ClickHouseException)
        {
            return false;
        }
    }

    [Fact]
    public void Options_that_are_printed_do_not_say_the_password() =>
        Assert.DoesNotContain("s3cret", (new WriterOptions { Password = "s3cret" }).ToString(), StringComparison.Ordinal);
}
