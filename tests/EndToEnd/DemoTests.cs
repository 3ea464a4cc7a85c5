using System.Text.Json;
using Weir.Tests.Support;
using Xunit;

namespace Weir.Tests.EndToEnd;

/// <summary><c>weir demo</c> as a newcomer runs it: everything that was sent is stored.</summary>
[Collection(ProcessesCollection.Name)]
public sealed class DemoTests : IDisposable
{
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("weir-demo-");

    public void Dispose() => _directory.Delete(recursive: true);

    [RealPartFact(RealPart.LocalRdkafka, RealPart.EmbeddedClickHouse)]
    public async Task The_account_closes_and_stored_is_folded_is_sent()
    {
        var loadgen = new Dictionary<string, string> { ["WEIR_LOADGEN"] = Path.Combine(AppContext.BaseDirectory, "weir-loadgen.dll") };

        var (code, output, error) = await ProgramProcess.RunAsync(
            _directory.FullName, loadgen, "demo", "--seconds", "5", "--json", "facts.json");

        Assert.True(code == 0, output + error);
        using var facts = JsonDocument.Parse(await File.ReadAllTextAsync(Path.Combine(_directory.FullName, "facts.json")));
        var account = facts.RootElement.GetProperty("account");
        var folded = account.GetProperty("folded").GetInt64();
        Assert.True(account.GetProperty("closes").GetBoolean());
        Assert.True(folded > 0);
        Assert.Equal(folded, facts.RootElement.GetProperty("stored_records").GetInt64());
        Assert.Equal(folded, facts.RootElement.GetProperty("sent_records").GetInt64());
        Assert.All(facts.RootElement.GetProperty("rows").EnumerateObject(), table => Assert.True(table.Value.GetInt64() > 0, table.Name));
        Assert.Contains("demo-data", output, StringComparison.Ordinal); // Where the data lies.

        var (queryCode, rows, queryError) = await ProgramProcess.RunAsync(
            _directory.FullName, null, "query", "SELECT sum(records) FROM service_1m", "-c", "demo-data/weir.yaml");
        Assert.True(queryCode == 0, queryError);
        Assert.Equal($"{folded}\n", rows);
    }
}
