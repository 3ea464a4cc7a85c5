namespace Weir.Writer;

/// <summary>An attempt to insert or connect that failed, and those like it.</summary>
/// <param name="Cause">Why, from the closed set.</param>
/// <param name="Message">What ClickHouse or the network said, in full, without secrets.</param>
/// <param name="Advice">What a person is to do about it.</param>
/// <param name="Count">Attempts that failed with just this message.</param>
/// <param name="FirstAt">The first of them.</param>
/// <param name="LastAt">The last of them.</param>
public sealed record WriterError(
    ReplyCause Cause, string Message, string Advice, long Count, DateTimeOffset FirstAt, DateTimeOffset LastAt);

/// <summary>The last errors of the writer, newest first; the page shows them in full when the log has long moved on.</summary>
/// <remarks>Any thread. Bounded: messages that repeat are counted, the oldest goes when there are too many.</remarks>
internal sealed class WriterErrors
{
    /// <summary>Different errors that are kept; a page has room for as many.</summary>
    internal const int ErrorsMax = 20;

    private readonly Lock _lock = new();
    private readonly List<WriterError> _errors = [];

    /// <summary>Keeps the error of a reply.</summary>
    internal void Add(in InsertReply reply, DateTimeOffset now)
    {
        var (cause, message) = (reply.Cause, reply.Message);
        lock (_lock)
        {
            var index = _errors.FindIndex(error => error.Cause == cause && error.Message == message);
            var count = 1L;
            var firstAt = now;
            if (index >= 0)
            {
                (count, firstAt) = (_errors[index].Count + 1, _errors[index].FirstAt);
                _errors.RemoveAt(index);
            }

            _errors.Insert(0, new WriterError(cause, message, reply.Advice, count, firstAt, now));
            if (_errors.Count > ErrorsMax)
            {
                _errors.RemoveAt(ErrorsMax);
            }
        }
    }

    /// <summary>The errors, newest first.</summary>
    internal IReadOnlyList<WriterError> Snapshot()
    {
        lock (_lock)
        {
            return [.. _errors];
        }
    }
}
