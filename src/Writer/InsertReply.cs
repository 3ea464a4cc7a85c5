namespace Weir.Writer;

/// <summary>What became of one attempt to insert a block.</summary>
public enum InsertOutcome
{
    /// <summary>The rows are stored, or were before under the same token.</summary>
    Stored,

    /// <summary>The server will never take this block as it is.</summary>
    Refused,

    /// <summary>Not stored, or nobody knows: the same bytes under the same name are to be sent again.</summary>
    NotNow,

    /// <summary>Not sent: the cut is no longer this process's to store.</summary>
    GivenUp,
}

/// <summary>Why a block was not stored. A closed set: each value is a label of the metrics.</summary>
public enum ReplyCause
{
    /// <summary>It was stored.</summary>
    None,

    /// <summary>The table, a column, a type or a setting is not as Weir expects it. Refused.</summary>
    Schema,

    /// <summary>The server cannot read the block. Refused.</summary>
    Data,

    /// <summary>
    /// Wrong user, password or rights. Not now: it is mended at the server, without a change of the block, and dropping rows
    /// because a password was rotated would be worse than waiting.
    /// </summary>
    Access,

    /// <summary>No connection could be made; the block was not sent.</summary>
    Unreachable,

    /// <summary>The server's certificate is not to be trusted, or ours cannot be read; nothing was sent. Not now: it is mended outside.</summary>
    Certificate,

    /// <summary>The connection ended after the block, or a part of it, was sent: it may be stored or not.</summary>
    AnswerLost,

    /// <summary>No answer in time: it may be stored or not.</summary>
    TimedOut,

    /// <summary>Out of memory, disk, threads, parts or quota for now.</summary>
    Overloaded,

    /// <summary>The table is read-only for now, as after a loss of the keeper's session.</summary>
    ReadOnly,

    /// <summary>The bytes arrived damaged. Sent again a few times, then refused.</summary>
    Damaged,

    /// <summary>An error that Weir does not know: never a reason to drop records.</summary>
    Unknown,
}

/// <summary>The answer to one attempt.</summary>
/// <param name="Outcome">What became of the block.</param>
/// <param name="Cause">Why it was not stored.</param>
/// <param name="Code">ClickHouse's error code; 0 when there is none.</param>
/// <param name="Message">One line, without secrets; empty when it was stored.</param>
public readonly record struct InsertReply(InsertOutcome Outcome, ReplyCause Cause, int Code, string Message)
{
    /// <summary>The block is stored.</summary>
    public static readonly InsertReply Stored = new(InsertOutcome.Stored, ReplyCause.None, 0, "");

    /// <summary>The cut was abandoned before this attempt.</summary>
    public static readonly InsertReply GivenUp = new(InsertOutcome.GivenUp, ReplyCause.None, 0, "");

    /// <summary>What a person is to do about it.</summary>
    public string Advice => Cause switch
    {
        ReplyCause.Schema => "run 'weir schema plan' and mend the table as it says",
        ReplyCause.Data => "this is a fault of weir or of a proxy between: keep the log and report it",
        ReplyCause.Access => "check clickhouse.user, clickhouse.password or clickhouse.password_file, and the rights of that user",
        ReplyCause.Certificate => "certificates are always checked; docs/security.md says how to renew and to trust them",
        ReplyCause.Unreachable => "start the server, or correct clickhouse.url",
        ReplyCause.AnswerLost or ReplyCause.TimedOut => "look at the server's log and load; clickhouse.request_timeout is the limit",
        ReplyCause.Overloaded => "look at the server's memory, disk, parts and merges; a longer flush.interval makes fewer parts",
        ReplyCause.ReadOnly => "look at the server's ZooKeeper or Keeper session",
        ReplyCause.Damaged => "look for a proxy or a network device that changes bytes",
        _ => "look at the server's log",
    };

    /// <summary>An attempt that failed for <paramref name="cause"/>.</summary>
    public static InsertReply Failed(ReplyCause cause, int code, string message) => new(
        cause is ReplyCause.Schema or ReplyCause.Data ? InsertOutcome.Refused : InsertOutcome.NotNow, cause, code, message);
}

/// <summary>A statement or query that ClickHouse did not carry out.</summary>
public sealed class ClickHouseException : Exception
{
    /// <summary>Reports <paramref name="reply"/>.</summary>
    public ClickHouseException(InsertReply reply)
        : base($"{reply.Message} ({reply.Advice})")
    {
        Reply = reply;
    }

    /// <summary>Cause, code and message.</summary>
    public InsertReply Reply { get; }
}
