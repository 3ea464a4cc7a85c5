using Weir.Writer;
using Xunit;

namespace Weir.Tests.Writer;

public sealed class ServerErrorsTests
{
    [Theory]
    [InlineData("Code: 60, e.displayText() = DB::Exception: Table w.t doesn't exist., e.what() = DB::Exception", 60)]
    [InlineData("Code: 241. DB::Exception: Memory limit (for query) exceeded. (MEMORY_LIMIT_EXCEEDED)", 241)]
    [InlineData("<html>502 Bad Gateway</html>", 0)]
    [InlineData("Code: 99999999999", 0)]
    public void The_code_is_found_in_both_forms_of_an_error(string text, int code)
    {
        Assert.Equal(code, ServerErrors.FindCode(text));
    }

    [Theory]
    [InlineData(60, InsertOutcome.Refused, ReplyCause.Schema)]
    [InlineData(16, InsertOutcome.Refused, ReplyCause.Schema)]
    [InlineData(62, InsertOutcome.Refused, ReplyCause.Schema)]
    [InlineData(117, InsertOutcome.Refused, ReplyCause.Data)]
    [InlineData(241, InsertOutcome.NotNow, ReplyCause.Overloaded)]
    [InlineData(242, InsertOutcome.NotNow, ReplyCause.ReadOnly)]
    [InlineData(252, InsertOutcome.NotNow, ReplyCause.Overloaded)]
    [InlineData(319, InsertOutcome.NotNow, ReplyCause.AnswerLost)]
    [InlineData(999, InsertOutcome.NotNow, ReplyCause.ReadOnly)]
    [InlineData(516, InsertOutcome.NotNow, ReplyCause.Access)]
    [InlineData(40, InsertOutcome.NotNow, ReplyCause.Damaged)]
    [InlineData(31337, InsertOutcome.NotNow, ReplyCause.Unknown)]
    public void A_code_decides_whether_a_block_is_sent_again(int code, InsertOutcome outcome, ReplyCause cause)
    {
        var reply = ServerErrors.Classify($"Code: {code}. DB::Exception: x", code, "");

        Assert.Equal((outcome, cause, code), (reply.Outcome, reply.Cause, reply.Code));
    }

    [Fact]
    public void Too_many_partitions_of_one_block_share_a_code_with_too_many_parts_and_are_refused()
    {
        var reply = ServerErrors.Classify("Code: 252. DB::Exception: Too many partitions for single INSERT block (more than 100)", 252, "");

        Assert.Equal(InsertOutcome.Refused, reply.Outcome);
    }

    [Fact]
    public void A_table_that_another_process_is_making_shares_a_code_with_damaged_data_and_is_waited_for()
    {
        const string Text = "Code: 117, e.displayText() = DB::Exception: Data directory for table already containing data parts - probably it was "
            + "unclean DROP table or manual intervention.";

        var reply = ServerErrors.Classify(Text, ServerErrors.FindCode(Text), "");

        Assert.Equal((InsertOutcome.NotNow, ReplyCause.Unknown), (reply.Outcome, reply.Cause));
    }

    [Fact]
    public void A_message_is_one_bounded_line_without_the_password()
    {
        var reply = ServerErrors.Classify($"Code: 193. wrong: hunter2\u0007 {new string('x', 2000)}\nsecond line", 193, "hunter2");

        Assert.DoesNotContain("hunter2", reply.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("second line", reply.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\u0007', reply.Message);
        Assert.InRange(reply.Message.Length, 10, 450);
    }
}
