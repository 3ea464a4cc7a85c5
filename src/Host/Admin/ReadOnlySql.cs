namespace Weir.Host.Admin;

/// <summary>Refuses SQL that is more than one statement, or one that does not only read.</summary>
/// <remarks>
/// The first of two fences: the second is the connection, which is set to <c>readonly=1</c>. This one has to agree with
/// ClickHouse about where texts and comments end, so whatever could be read in two ways is refused: heredocs, comments in
/// comments, <c>#</c> comments, letters that are not ASCII outside quotes.
/// </remarks>
internal static class ReadOnlySql
{
    /// <summary>Longest question in characters; ClickHouse's own default is 262,144 bytes.</summary>
    public const int TextCharsMax = 262_144;

    private const string OneStatement = "only one statement is answered";

    private static readonly string[] _readers = ["SELECT", "WITH", "SHOW", "DESCRIBE", "DESC", "EXISTS", "EXPLAIN"];
    private static readonly string[] _refusedWords = ["INSERT", "OUTFILE", "INFILE"];

    /// <summary>Why the SQL is refused, or null when it may be asked.</summary>
    public static string? Refuse(string sql)
    {
        if (sql.Length > TextCharsMax)
        {
            return $"the question has {sql.Length} characters; allowed: {TextCharsMax}";
        }

        var isFirstWord = true;
        var hasEnded = false;
        var index = 0;
        while (index < sql.Length)
        {
            var letter = sql[index];
            if (char.IsAsciiLetter(letter) || letter == '_')
            {
                var end = EndOfWord(sql, index);
                var refused = hasEnded ? OneStatement : RefuseWord(sql[index..end], isFirstWord);
                if (refused is not null)
                {
                    return refused;
                }

                isFirstWord = false;
                index = end;
            }
            else if (!TrySkip(sql, ref index, ref hasEnded, out var problem))
            {
                return problem;
            }
        }

        return isFirstWord ? "the question is empty" : null;
    }

    private static string? RefuseWord(string word, bool isFirst)
    {
        if (isFirst && !_readers.Contains(word, StringComparer.OrdinalIgnoreCase))
        {
            return $"only questions are answered ({string.Join(", ", _readers)}), not {word}";
        }

        return _refusedWords.Contains(word, StringComparer.OrdinalIgnoreCase) ? $"{word.ToUpperInvariant()} is not allowed here" : null;
    }

    /// <summary>Steps over one letter, a quoted text or a comment; false with the reason when it must not be there.</summary>
    private static bool TrySkip(string sql, ref int index, ref bool hasEnded, out string problem)
    {
        problem = "";
        var letter = sql[index];
        var next = index + 1 < sql.Length ? sql[index + 1] : '\0';
        if (letter is '\'' or '"' or '`')
        {
            problem = hasEnded ? OneStatement : "a quote is not closed";
            index = EndOfQuoted(sql, index);
            return !hasEnded && index > 0;
        }

        if (letter == '-' && next == '-')
        {
            var end = sql.IndexOf('\n', index);
            index = end < 0 ? sql.Length : end + 1;
            return true;
        }

        if (letter == '/' && next == '*')
        {
            var end = sql.IndexOf("*/", index + 2, StringComparison.Ordinal);
            problem = "a comment is not closed, or holds another one";
            if (end < 0 || sql.AsSpan(index + 2, end - index - 2).Contains("/*", StringComparison.Ordinal))
            {
                return false;
            }

            index = end + 2;
            return true;
        }

        if (letter is '$' or '#' or '\0' || !char.IsAscii(letter))
        {
            problem = $"the letter '{letter}' is only allowed in quotes here";
            return false;
        }

        problem = OneStatement;
        index++;
        if (letter == ';')
        {
            hasEnded = true;
            return true;
        }

        return !hasEnded || char.IsWhiteSpace(letter);
    }

    private static int EndOfWord(string sql, int index)
    {
        while (index < sql.Length && (char.IsAsciiLetterOrDigit(sql[index]) || sql[index] == '_'))
        {
            index++;
        }

        return index;
    }

    /// <summary>The place after the closing quote, or -1. A backslash takes the next letter with it; a doubled quote opens the text again.</summary>
    private static int EndOfQuoted(string sql, int index)
    {
        var quote = sql[index];
        for (var place = index + 1; place < sql.Length; place++)
        {
            if (sql[place] == '\\')
            {
                place++;
            }
            else if (sql[place] == quote)
            {
                return place + 1;
            }
        }

        return -1;
    }
}
