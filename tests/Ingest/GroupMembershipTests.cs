using Weir.Ingest;
using Xunit;

namespace Weir.Tests.Ingest;

public sealed class GroupMembershipTests
{
    [Theory]
    [InlineData("a", 5, true)] // Nothing has happened.
    [InlineData("a", 6, true)] // The group was formed anew, with this member.
    [InlineData("a", 7, false)] // Once without it.
    [InlineData("a", 4, false)] // Another group of that name.
    [InlineData("b", 6, false)] // Put out, and back as somebody else.
    [InlineData("", -1, false)]
    public void Who_is_another_member_or_missed_a_generation_holds_nothing_any_more(string memberId, int generation, bool continues) =>
        Assert.Equal(continues, new GroupMembership(memberId, generation, IsClassic: true).Continues(new GroupMembership("a", 5, IsClassic: true)));

    [Theory]
    [InlineData("a", 9, true)] // Epochs pass with what other members do.
    [InlineData("b", 9, false)]
    [InlineData("a", -1, false)]
    public void With_the_newer_protocol_the_member_alone_counts(string memberId, int epoch, bool continues) =>
        Assert.Equal(continues, new GroupMembership(memberId, epoch, IsClassic: false).Continues(new GroupMembership("a", 5, IsClassic: false)));
}
