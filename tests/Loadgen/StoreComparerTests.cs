using System.Globalization;
using Weir.Loadgen.Shadow;
using Weir.Tests.Support;
using Xunit;

namespace Weir.Tests.Loadgen;

/// <summary>The comparison on a real server: what differs is found, and nothing else.</summary>
[Collection(RealPartsCollection.Name)]
public sealed class StoreComparerTests(ClickHouseServer server) : IClassFixture<ClickHouseServer>, IDisposable
{
    private const int RowCount = 1_000_000;
    private readonly HttpClient _client = new();

    public void Dispose() => _client.Dispose();

    [RealPartFact(RealPart.ClickHouseServer)]
    public async Task One_unit_in_one_meter_of_one_row_among_a_million_is_found_and_nothing_where_nothing_differs()
    {
        var one = await MakeAsync("compare_one", "bytes * 3");
        var same = await MakeAsync("compare_same", "bytes * 3");
        var other = await MakeAsync("compare_other", "bytes * 3 + (bytes = 777777)");

        var equal = new StoreComparer(one, same);
        var view = Assert.Single(await equal.CompareAsync());
        Assert.True(view.IsEqual);
        Assert.Equal(RowCount, view.EqualRowCount);
        Assert.Empty(equal.Differences);

        var different = new StoreComparer(one, other);
        view = Assert.Single(await different.CompareAsync());
        Assert.Equal((RowCount - 1, 1, 0, 0), (view.EqualRowCount, view.DifferentRowCount, view.MissingRowCount, view.ExtraRowCount));
        var difference = Assert.Single(different.Differences);
        Assert.Equal(1, difference.Size);
        Assert.Equal($"{777_777 * 3}\t1", difference.A);
        Assert.Equal($"{(777_777 * 3) + 1}\t1", difference.B);
        Assert.Equal(Assert.Single(view.DifferentWindows), difference.Window);
    }

    [RealPartFact(RealPart.ClickHouseServer)]
    public async Task Missing_and_extra_rows_are_told_apart_and_the_largest_difference_comes_first()
    {
        var left = await MakeAsync("compare_left", "bytes", "WHERE bytes < 1000 AND bytes != 7");
        var right = await MakeAsync("compare_right", "bytes + (bytes = 500) * 100", "WHERE bytes < 1000 AND bytes NOT IN (8, 9)");

        var comparer = new StoreComparer(left, right);
        var view = Assert.Single(await comparer.CompareAsync());

        Assert.Equal((996, 1, 2, 1), (view.EqualRowCount, view.DifferentRowCount, view.MissingRowCount, view.ExtraRowCount));
        Assert.Equal([100, 10, 9, 8], comparer.Differences.Select(difference => (int)difference.Size));
    }

    /// <summary>A table as weir makes them, of rows whose key and bytes are their number, in a database of its own.</summary>
    private async Task<AskStore> MakeAsync(string database, string bytes, string where = "")
    {
        await PostAsync("default", $"CREATE DATABASE {database}");
        await PostAsync(database, "CREATE TABLE edge_1s (time DateTime, dst_port UInt32, exporter String, records UInt64, bytes UInt64) "
            + "ENGINE = SummingMergeTree() PARTITION BY toYYYYMMDD(time) ORDER BY (dst_port, exporter, time)");
        await PostAsync(database,
            $"INSERT INTO edge_1s SELECT toDateTime(1767225600 + bytes % 50), toUInt32(bytes), 'r1', 1, {bytes} FROM (SELECT number AS bytes FROM system.numbers LIMIT {RowCount}) {where}");
        return async sql => (await PostAsync(database, sql)).Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }

    private async Task<string> PostAsync(string database, string sql)
    {
        using var request = new HttpRequestMessage(
            HttpMethod.Post, new Uri(server.Url, $"?database={database}")) { Content = new StringContent(sql) };
        request.Headers.Add("X-ClickHouse-User", "weir");
        request.Headers.Add("X-ClickHouse-Key", ClickHouseServer.Password);
        using var response = await _client.SendAsync(request);
        var text = await response.Content.ReadAsStringAsync();
        Assert.True(response.IsSuccessStatusCode, string.Create(CultureInfo.InvariantCulture, $"{sql}\n{text}"));
        return text;
    }
}
