using Weir.Core.Model;
using Xunit;

namespace Weir.Tests.Host;

public class ViewsOptionTests
{
    [Fact]
    public void A_view_of_standard_and_own_columns_is_read()
    {
        var view = Assert.Single(HostConfig.LoadGood("""
            views:
              - name: by_app
                granularity: 10s
                tags: [dst_addr, { name: app, type: string, from: appName, field: 900 }, { name: proto }]
                meters: [bytes, { name: delay_max, fold: max, from: delay }, { name: hops, field: 7 }]
                order_by: [app]
                series_max: 1000
            """).Options.Views);

        Assert.Equal(("by_app", 10, 1000), (view.Name, view.GranularitySeconds, view.SeriesMax));
        Assert.Equal([StandardSchema.DstAddr, new TagDefinition("app", TagType.String, new FieldSource("appName", 900)), StandardSchema.Proto], view.Tags);
        Assert.Equal(
            [
                StandardSchema.Records, StandardSchema.Bytes, new MeterDefinition("delay_max", MeterFold.Max, new FieldSource("delay", 0)),
                new MeterDefinition("hops", MeterFold.Sum, new FieldSource(null, 7)),
            ],
            view.Meters);
        Assert.Equal(["app", "dst_addr", "proto"], view.OrderBy);
    }

    [Fact]
    public void A_view_without_meters_has_all_standard_ones_and_records_is_always_the_first()
    {
        var views = HostConfig.LoadGood("""
            views:
              - { name: a, granularity: 1m, tags: [proto] }
              - { name: b, granularity: 1d, tags: [proto], meters: [bytes, records] }
              - { name: c, granularity: 1h, tags: [proto], meters: [] }
            """).Options.Views;

        Assert.Equal(StandardSchema.Meters, views[0].Meters);
        Assert.Equal([StandardSchema.Records, StandardSchema.Bytes], views[1].Meters);
        Assert.Equal([StandardSchema.Records], views[2].Meters);
    }

    [Theory]
    [InlineData("{ granularity: 1s, tags: [proto] }", "views[0].name is missing")]
    [InlineData("{ name: a-b, granularity: 1s, tags: [proto] }", "views[0].name is a-b; allowed: letters, digits and _")]
    [InlineData("{ name: weir_x, granularity: 1s, tags: [proto] }", "views[0].name is weir_x; names that begin with weir_")]
    [InlineData("{ name: a, tags: [proto] }", "views[0].granularity is missing")]
    [InlineData("{ name: a, granularity: 7s, tags: [proto] }", "views[0].granularity is 7s; allowed: whole seconds that divide a day")]
    [InlineData("{ name: a, granularity: 500ms, tags: [proto] }", "views[0].granularity is 500ms")]
    [InlineData("{ name: a, granularity: 1s }", "views[0].tags is missing")]
    [InlineData("{ name: a, granularity: 1s, tags: [] }", "views[0].tags is empty")]
    [InlineData("{ name: a, granularity: 1s, tags: [dst_adr] }", "views[0].tags[0] is dst_adr, which the standard schema has not; did you mean dst_addr?")]
    [InlineData("{ name: a, granularity: 1s, tags: [{ name: time, type: u8, from: t }] }", "is time, which each view has")]
    [InlineData("{ name: a, granularity: 1s, tags: [{ name: app, from: t }] }", "views[0].tags[0].type is missing; allowed: u8 | u16")]
    [InlineData("{ name: a, granularity: 1s, tags: [{ name: app, type: text, from: t }] }", "views[0].tags[0].type is text")]
    [InlineData("{ name: a, granularity: 1s, tags: [{ name: app, type: u8 }] }", "views[0].tags[0] says neither from nor field")]
    [InlineData("{ name: a, granularity: 1s, tags: [{ name: app, type: u8, field: 0 }] }", "views[0].tags[0].field is 0; allowed: 1 to")]
    [InlineData("{ name: a, granularity: 1s, tags: [{ name: proto, type: u8, from: p }] }", "defines proto, which the standard schema has")]
    [InlineData("{ name: a, granularity: 1s, tags: [proto, proto] }", "has the column proto twice")]
    [InlineData("{ name: a, granularity: 1s, tags: [proto], meters: [{ name: PROTO, from: x }] }", "has the column proto twice")]
    [InlineData("{ name: a, granularity: 1s, tags: [proto], meters: [byte] }", "views[0].meters[0] is byte, which the standard schema has not; did you mean bytes?")]
    [InlineData("{ name: a, granularity: 1s, tags: [proto], order_by: [dst_port] }", "views[0].order_by is dst_port; allowed: each of proto once")]
    [InlineData("{ name: a, granularity: 1s, tags: [proto], series_max: 0 }", "views[0].series_max is 0; allowed: 1 to 50000000")]
    [InlineData("{ name: a, granularity: 1s, tags: [proto], serie_max: 9 }", "views[0].serie_max is not an option; did you mean views[0].series_max?")]
    public void Each_kind_of_error_in_a_view_is_told(string view, string expected) =>
        Assert.Contains(expected, HostConfig.SingleError($"views: [{view}]"), StringComparison.Ordinal);

    [Fact]
    public void Names_mean_the_same_in_all_views_and_tables_have_different_names()
    {
        var errors = HostConfig.Load("""
            views:
              - { name: a, granularity: 1s, tags: [{ name: app, type: u8, from: x }] }
              - { name: A, granularity: 1m, tags: [{ name: app, type: u8, from: x }] }
              - { name: c, granularity: 1m, tags: [{ name: app, type: u16, from: x }] }
            """).Errors;

        Assert.Equal(
            [
                "weir.yaml:3: views[1].name is A, which another view has; allowed: each name once",
                "weir.yaml:4: views[2].tags[0] defines app in another way than an earlier view; allowed: one meaning for each name",
            ],
            errors.Select(error => error.ToString()));
    }
}
