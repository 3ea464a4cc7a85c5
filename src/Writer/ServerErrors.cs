using System.Collections.Frozen;
using System.Globalization;
using System.Text.RegularExpressions;

namespace Weir.Writer;

/// <summary>ClickHouse's error codes that matter to an insert, and what they mean for the block.</summary>
/// <remarks>
/// The numbers are ClickHouse's own and the same in all versions; a test compares the names with <c>errorCodeToName</c>. A code
/// that is not listed is <see cref="ReplyCause.Unknown"/>: it is tried again, because an error that nobody has thought of is
/// no reason to drop records, and the log names it.
/// </remarks>
internal static partial class ServerErrors
{
    /// <summary>Characters of a message that are kept: some list the whole grammar, or quote data.</summary>
    private const int MessageCharsMax = 400;

    /// <summary>UNKNOWN_SETTING.</summary>
    internal const int UnknownSetting = 115;

    /// <summary>UNKNOWN_TABLE.</summary>
    internal const int UnknownTable = 60;

    /// <summary>UNKNOWN_DATABASE.</summary>
    internal const int UnknownDatabase = 81;

    private const int IncorrectData = 117;

    private const int TooManyParts = 252;

    /// <summary>Code, name and cause.</summary>
    internal static readonly (int Code, string Name, ReplyCause Cause)[] Known =
    [
        (6, "CANNOT_PARSE_TEXT", ReplyCause.Data),
        (8, "THERE_IS_NO_COLUMN", ReplyCause.Schema),
        (10, "NOT_FOUND_COLUMN_IN_BLOCK", ReplyCause.Schema),
        (16, "NO_SUCH_COLUMN_IN_TABLE", ReplyCause.Schema),
        (20, "NUMBER_OF_COLUMNS_DOESNT_MATCH", ReplyCause.Schema),
        (27, "CANNOT_PARSE_INPUT_ASSERTION_FAILED", ReplyCause.Data),
        (32, "ATTEMPT_TO_READ_AFTER_EOF", ReplyCause.Damaged),
        (33, "CANNOT_READ_ALL_DATA", ReplyCause.Damaged),
        (36, "BAD_ARGUMENTS", ReplyCause.Schema),
        (40, "CHECKSUM_DOESNT_MATCH", ReplyCause.Damaged),
        (43, "ILLEGAL_TYPE_OF_ARGUMENT", ReplyCause.Schema),
        (44, "ILLEGAL_COLUMN", ReplyCause.Schema),
        (47, "UNKNOWN_IDENTIFIER", ReplyCause.Schema),
        (48, "NOT_IMPLEMENTED", ReplyCause.Schema),
        (50, "UNKNOWN_TYPE", ReplyCause.Schema),
        (53, "TYPE_MISMATCH", ReplyCause.Schema),
        (UnknownTable, "UNKNOWN_TABLE", ReplyCause.Schema),
        (62, "SYNTAX_ERROR", ReplyCause.Schema),
        (70, "CANNOT_CONVERT_TYPE", ReplyCause.Schema),
        (73, "UNKNOWN_FORMAT", ReplyCause.Schema),
        (76, "CANNOT_OPEN_FILE", ReplyCause.Overloaded),
        (UnknownDatabase, "UNKNOWN_DATABASE", ReplyCause.Schema),
        (89, "UNKNOWN_COMPRESSION_METHOD", ReplyCause.Data),
        (UnknownSetting, "UNKNOWN_SETTING", ReplyCause.Schema),
        (IncorrectData, "INCORRECT_DATA", ReplyCause.Data),
        (128, "TOO_LARGE_ARRAY_SIZE", ReplyCause.Data),
        (131, "TOO_LARGE_STRING_SIZE", ReplyCause.Data),
        (159, "TIMEOUT_EXCEEDED", ReplyCause.TimedOut),
        (160, "TOO_SLOW", ReplyCause.Overloaded),
        (164, "READONLY", ReplyCause.Access),
        (173, "CANNOT_ALLOCATE_MEMORY", ReplyCause.Overloaded),
        (192, "UNKNOWN_USER", ReplyCause.Access),
        (193, "WRONG_PASSWORD", ReplyCause.Access),
        (194, "REQUIRED_PASSWORD", ReplyCause.Access),
        (195, "IP_ADDRESS_NOT_ALLOWED", ReplyCause.Access),
        (201, "QUOTA_EXCEEDED", ReplyCause.Overloaded),
        (202, "TOO_MANY_SIMULTANEOUS_QUERIES", ReplyCause.Overloaded),
        (203, "NO_FREE_CONNECTION", ReplyCause.Overloaded),
        (209, "SOCKET_TIMEOUT", ReplyCause.AnswerLost),
        (210, "NETWORK_ERROR", ReplyCause.AnswerLost),
        (225, "NO_ZOOKEEPER", ReplyCause.ReadOnly),
        (236, "ABORTED", ReplyCause.AnswerLost),
        (241, "MEMORY_LIMIT_EXCEEDED", ReplyCause.Overloaded),
        (242, "TABLE_IS_READ_ONLY", ReplyCause.ReadOnly),
        (243, "NOT_ENOUGH_SPACE", ReplyCause.Overloaded),
        (TooManyParts, "TOO_MANY_PARTS", ReplyCause.Overloaded),
        (271, "CANNOT_DECOMPRESS", ReplyCause.Damaged),
        (285, "TOO_FEW_LIVE_REPLICAS", ReplyCause.ReadOnly),
        (286, "UNSATISFIED_QUORUM_FOR_PREVIOUS_WRITE", ReplyCause.ReadOnly),
        (291, "DATABASE_ACCESS_DENIED", ReplyCause.Access),
        (319, "UNKNOWN_STATUS_OF_INSERT", ReplyCause.AnswerLost),
        (394, "QUERY_WAS_CANCELLED", ReplyCause.AnswerLost),
        (439, "CANNOT_SCHEDULE_TASK", ReplyCause.Overloaded),
        (469, "VIOLATED_CONSTRAINT", ReplyCause.Data),
        (497, "ACCESS_DENIED", ReplyCause.Access),
        (516, "AUTHENTICATION_FAILED", ReplyCause.Access),
        (999, "KEEPER_EXCEPTION", ReplyCause.ReadOnly),
    ];

    private static readonly FrozenDictionary<int, (string Name, ReplyCause Cause)> _byCode =
        Known.ToFrozenDictionary(known => known.Code, known => (known.Name, known.Cause));

    /// <summary>
    /// The code in a text of the form <c>Code: 60, e.displayText() = …</c> or <c>Code: 60. DB::Exception: …</c>; 0 when there is
    /// none.
    /// </summary>
    internal static int FindCode(string text)
    {
        var match = CodePattern().Match(text);
        _ = int.TryParse(match.Groups[1].ValueSpan, NumberStyles.None, CultureInfo.InvariantCulture, out var code);
        return code;
    }

    /// <summary>The reply that a server's error text stands for.</summary>
    /// <param name="text">The text, as the server sent it.</param>
    /// <param name="code">Its code; 0 when there is none.</param>
    /// <param name="secret">A text that must not appear in the message.</param>
    internal static InsertReply Classify(string text, int code, string secret)
    {
        var message = Line(text, secret);
        if (!_byCode.TryGetValue(code, out var known))
        {
            return InsertReply.Failed(ReplyCause.Unknown, code, message);
        }

        // CREATE TABLE of 18.16 while another process makes the same table, or has just filled it: its next look finds the table.
        if (code == IncorrectData && text.Contains("already containing data parts", StringComparison.Ordinal))
        {
            return InsertReply.Failed(ReplyCause.Unknown, code, message);
        }

        // One code for two things: the second is a property of the block, and the same for ever.
        var isForEver = code == TooManyParts && text.Contains("partitions for single INSERT", StringComparison.Ordinal);
        var named = message.Contains(known.Name, StringComparison.Ordinal) ? message : $"{message} ({known.Name})";
        return InsertReply.Failed(isForEver ? ReplyCause.Data : known.Cause, code, named);
    }

    /// <summary>
    /// The first line of a text, bounded, without <paramref name="secret"/>, control characters and the server's repetitions.
    /// </summary>
    internal static string Line(string text, string secret)
    {
        var trimmed = text.AsSpan().Trim();
        var end = trimmed.IndexOfAny('\r', '\n');
        var line = (end < 0 ? trimmed : trimmed[..end]).ToString();
        line = line.Replace(", e.displayText() = DB::Exception:", ":", StringComparison.Ordinal)
            .Replace(", e.what() = DB::Exception", "", StringComparison.Ordinal);
        if (secret.Length > 0)
        {
            line = line.Replace(secret, "***", StringComparison.Ordinal);
        }

        line = string.Concat(line.Where(character => !char.IsControl(character)));
        return line.Length <= MessageCharsMax ? line : $"{line[..MessageCharsMax]}…";
    }

    [GeneratedRegex(@"\bCode: (\d{1,6})\b", RegexOptions.CultureInvariant)]
    private static partial Regex CodePattern();
}
