using System.Text;
using Weir.Ingest;
using Xunit;

namespace Weir.Tests.Ingest;

public class OriginMarksTests
{
    [Fact]
    public void A_message_passes_once_for_each_origin()
    {
        var marks = new OriginMarks();
        Assert.True(marks.TryPass(0, 5));
        Assert.True(marks.TryPass(1, 5));
        Assert.False(marks.TryPass(0, 5));
        Assert.False(marks.TryPass(0, 4));
        Assert.True(marks.TryPass(0, 6));
        Assert.Equal("0:6,1:5", marks.ToString());
    }

    [Fact]
    public void Marks_are_read_back_from_plans_and_ends()
    {
        var marks = new OriginMarks();
        Assert.True(marks.TryPass(3, 9_000_000_000));
        Assert.True(marks.TryPass(0, 17));

        Assert.Equal("0:17,3:9000000000", OriginMarks.Parse(CutPlan.MetadataOf(12, marks.ToString()))!.ToString());
        Assert.Equal("0:17,3:9000000000", OriginMarks.Parse(CutPlan.EndMetadataOf(marks.ToString()))!.ToString());
        Assert.Equal(12, CutPlan.Parse(5, CutPlan.MetadataOf(12, marks.ToString()))!.Value.ToOffset);
        Assert.Equal(12, GroupPositions.PlannedTo(CutPlan.MetadataOf(12, marks.ToString())));
        Assert.Null(CutPlan.Parse(5, CutPlan.EndMetadataOf(marks.ToString())));
        Assert.Null(OriginMarks.Parse(CutPlan.MetadataOf(12)));
        Assert.Null(OriginMarks.Parse("weir-end origins=1"));
        Assert.Null(OriginMarks.Parse("of another program"));
    }

    [Fact]
    public void Their_text_fits_a_commit_whatever_the_number_of_origins()
    {
        var marks = new OriginMarks();
        for (var partition = 0; partition < OriginMarks.OriginsMax + 50; partition++)
        {
            Assert.True(marks.TryPass(partition, 999_999_999_999));
        }

        Assert.True(CutPlan.MetadataOf(999_999_999_999, marks.ToString()).Length < 4_096);
        Assert.True(marks.TryPass(OriginMarks.OriginsMax + 1, 1)); // No account is kept of it.
        Assert.False(marks.TryPass(1, 1));
    }

    [Theory]
    [InlineData("flows/3@17", true, 3, 17)]
    [InlineData("a/b@c/12@9000000000", true, 12, 9_000_000_000)]
    [InlineData("", false, 0, 0)]
    [InlineData("3@17", false, 0, 0)]
    [InlineData("flows/3@", false, 0, 0)]
    [InlineData("flows/x@17", false, 0, 0)]
    [InlineData("flows/3@17x", false, 0, 0)]
    [InlineData("flows/-3@17", false, 0, 0)]
    public void The_header_is_read_as_it_is_written(string text, bool isGood, int partition, long offset)
    {
        Assert.Equal(isGood, OriginMarks.TryReadHeader(Encoding.UTF8.GetBytes(text), out var topic, out var readPartition, out var readOffset));
        if (isGood)
        {
            Assert.Equal((partition, offset), (readPartition, readOffset));
            Assert.Equal(text[..text.LastIndexOf('/')], Encoding.UTF8.GetString(topic));
        }
    }
}
