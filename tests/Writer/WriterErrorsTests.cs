using Weir.Writer;
using Xunit;

namespace Weir.Tests.Writer;

/// <summary>The last errors that the page shows in full.</summary>
public sealed class WriterErrorsTests
{
    private static readonly DateTimeOffset _start = new(2026, 1, 2, 3, 4, 5, TimeSpan.Zero);

    private readonly WriterErrors _errors = new();

    [Fact]
    public void An_error_that_comes_again_is_counted_with_its_first_and_last_time_and_comes_first()
    {
        Add("too many parts", 0);
        Add("out of memory", 1);
        Add("too many parts", 7);

        var errors = _errors.Snapshot();

        Assert.Equal(["too many parts", "out of memory"], errors.Select(error => error.Message));
        Assert.Equal((2, _start, _start.AddSeconds(7)), (errors[0].Count, errors[0].FirstAt, errors[0].LastAt));
        Assert.Contains("parts and merges", errors[0].Advice, StringComparison.Ordinal);
    }

    [Fact]
    public void The_oldest_of_too_many_goes()
    {
        for (var index = 0; index <= WriterErrors.ErrorsMax; index++)
        {
            Add($"error {index}", index);
        }

        var errors = _errors.Snapshot();

        Assert.Equal(WriterErrors.ErrorsMax, errors.Count);
        Assert.Equal($"error {WriterErrors.ErrorsMax}", errors[0].Message);
        Assert.Equal("error 1", errors[^1].Message);
    }

    private void Add(string message, int second) =>
        _errors.Add(InsertReply.Failed(ReplyCause.Overloaded, 252, message), _start.AddSeconds(second));
}
