using System.Net;
using System.Text;
using Weir.Core.Model;
using Xunit;

namespace Weir.Tests.Core;

public class ModelTests
{
    [Fact]
    public void An_account_closes_when_each_record_has_one_fate()
    {
        var account = new BlockAccount(21, 6, 5, 4, 3, 3);
        var partition = new PartitionKey("flows", 3);

        Assert.True(account.Closes);
        account.ThrowIfOpen(partition, 10, 31);
        var open = account with { FoldedCount = 7 };
        Assert.Equal(-1, open.Difference);
        var error = Assert.Throws<InvalidOperationException>(() => open.ThrowIfOpen(partition, 10, 31));
        Assert.Contains("flows/3 offsets 10 to 31", error.Message, StringComparison.Ordinal);
        Assert.Equal(new BlockAccount(42, 13, 10, 8, 6, 6), account + open);
    }

    [Fact]
    public void A_block_is_named_by_its_layout_range_view_and_part()
    {
        var name = new BlockName(new PartitionKey("flows", 12), 1_000, 2_500, "edge_1s", 3);

        Assert.Equal("weir1:flows:12:1000-2500:edge_1s:3", name.ToString());
        Assert.Equal(1, BlockName.LayoutVersion);
    }

    [Fact]
    public void A_cut_is_complete_with_its_last_shard_and_adds_their_counts()
    {
        var cut = new Cut(new PartitionKey("flows", 0), 100, 3, 1, new StringDictionary(10)) { ReadCount = 20, LateCount = 1 };
        cut.RejectedCount(DecodeStatus.Truncated) += 2;
        cut.AddDropped(3);
        cut.AddOverwritten(4);

        Assert.False(cut.CompleteShard(2, 5));
        Assert.False(cut.CompleteShard(0, 4));
        Assert.True(cut.CompleteShard(1, 1));
        Assert.Equal(new BlockAccount(20, 10, 2, 1, 3, 4), cut.Account());
        Assert.True(cut.Account().Closes);
        Assert.True(cut.IsEmpty);
        cut.ToOffset = 101;
        Assert.False(cut.IsEmpty);
    }

    [Fact]
    public void Views_are_ordered_so_that_each_parent_comes_first_and_folds_least()
    {
        var schema = StreamSchema.Compile([.. StandardSchema.Views.Reverse()]);

        Assert.Equal(
            [("edge_1s", ""), ("service_1s", "edge_1s"), ("edge_1m", "edge_1s"), ("service_1m", "service_1s")],
            schema.Views.Select(plan => (
                plan.Definition.Name, plan.ParentIndex < 0 ? "" : schema.Views[plan.ParentIndex].Definition.Name)));
        Assert.Equal([true, false, true, true], schema.Views.Select(plan => plan.HasSourceKeys));
        Assert.Equal("records", schema.Meters[0].Name);
        Assert.Equal((48, 8 + 48 + (8 * 11)), (schema.KeyBytes, schema.RecordBytes));
    }

    [Fact]
    public void A_layout_has_no_overlap_and_its_segments_move_each_tag_to_its_place()
    {
        var schema = StreamSchema.Compile(StandardSchema.Views);
        foreach (var plan in schema.Views)
        {
            var source = plan.ParentIndex < 0 ? schema.Tags : schema.Views[plan.ParentIndex].Tags;
            var key = new byte[plan.KeyBytes];
            foreach (var segment in plan.Segments)
            {
                for (var index = 0; index < segment.LengthBytes; index++)
                {
                    Assert.Equal(0, key[segment.ToBytes + index]);
                    key[segment.ToBytes + index] = (byte)(segment.FromBytes + index);
                }
            }

            Assert.All(plan.Tags, slot => Assert.Equal(source.First(from => from.Tag == slot.Tag).OffsetBytes, key[slot.OffsetBytes]));
            Assert.Equal(plan.Tags.Sum(slot => slot.Tag.Type.WidthBytes()), key.Count(value => value != 0));
            Assert.Equal(0, plan.KeyBytes % 8);
        }
    }

    [Fact]
    public void Views_that_contradict_each_other_are_refused()
    {
        var view = StandardSchema.Views[0];
        var other = view with { Name = "other", Tags = [new TagDefinition("src_addr", TagType.U32)], OrderBy = ["src_addr"] };

        Assert.Throws<ArgumentException>(() => StreamSchema.Compile([view, other]));
        Assert.Throws<ArgumentException>(() => StreamSchema.Compile([view with { OrderBy = ["proto"] }]));
        Assert.Throws<ArgumentOutOfRangeException>(() => StreamSchema.Compile([]));
    }

    [Fact]
    public void Strings_get_ids_in_the_order_of_their_first_sight()
    {
        var strings = new StringDictionary(10_000);
        var texts = Enumerable.Range(0, 5_000).Select(number => $"router-{number * 31 % 5_000}").ToList();
        var ids = texts.ConvertAll(text => strings.Intern(Encoding.UTF8.GetBytes(text)));

        Assert.Equal(Enumerable.Range(2, 5_000).Select(id => (uint)id), ids);
        Assert.Equal(ids, texts.Select(text => strings.Intern(Encoding.UTF8.GetBytes(text))));
        Assert.All(ids.Zip(texts), pair => Assert.Equal(pair.Second, Encoding.UTF8.GetString(strings.Utf8((int)pair.First))));
        Assert.Equal(StringDictionary.EmptyId, strings.Intern([]));
        Assert.Equal(StringDictionary.OverflowId, strings.Intern("__overflow__"u8));
        Assert.NotEqual(strings.HashOf(2), strings.HashOf(3));
        strings.Clear();
        Assert.Equal(2, strings.Count);
        Assert.Equal(2u, strings.Intern("other"u8));
    }

    [Fact]
    public void Strings_above_the_limit_become_overflow_and_each_look_up_is_counted()
    {
        var strings = new StringDictionary(3);
        var known = strings.InternAddress(IPAddress.Parse("10.0.0.1").MapToIPv6().GetAddressBytes());
        var unknown = IPAddress.Parse("2001:db8::1").GetAddressBytes();

        Assert.Equal(2u, known);
        Assert.Equal("10.0.0.1", Encoding.UTF8.GetString(strings.Utf8(2)));
        Assert.Equal(StringDictionary.OverflowId, strings.Intern("a"u8));
        Assert.Equal(StringDictionary.OverflowId, strings.InternAddress(unknown));
        Assert.Equal(StringDictionary.OverflowId, strings.InternAddress(unknown));
        Assert.Equal(3, strings.OverflowCount);
        Assert.Equal(3, strings.Count);
        Assert.Equal(known, strings.Intern("10.0.0.1"u8));
    }
}
