namespace Weir.Host.Admin;

/// <summary>Refuses SQL that is more than one statement, does not only read, or reads from elsewhere than the store.</summary>
/// <remarks>
/// The first of two fences: the second is the connection, which may only read. This one has to agree with ClickHouse about
/// where texts and comments end, so whatever could be read in two ways is refused: heredocs, comments in comments,
/// <c>#</c> comments, letters that are not ASCII outside quotes, backslashes in quoted names.
/// </remarks>
internal sealed class ReadOnlySql
{
    /// <summary>Longest question in characters; ClickHouse's own default is 262,144 bytes.</summary>
    public const int TextCharsMax = 262_144;

    private const string OneStatement = "only one statement is answered";

    private static readonly HashSet<string> _readers =
        new(["SELECT", "WITH", "SHOW", "DESCRIBE", "DESC", "EXISTS", "EXPLAIN"], StringComparer.OrdinalIgnoreCase);

    private static readonly HashSet<string> _refusedWords = new(["INSERT", "OUTFILE", "INFILE"], StringComparer.OrdinalIgnoreCase);

    /// <summary>Functions that read files, other machines or processes: the rights of this process are not those of who asks.</summary>
    private static readonly HashSet<string> _refusedFunctions = new(
        [
            "azureBlobStorage", "azureBlobStorageCluster", "cluster", "clusterAllReplicas", "deltaLake", "deltaLakeAzure",
            "deltaLakeCluster",
            "deltaLakeLocal", "deltaLakeS3", "executable", "file", "fileCluster", "gcs", "hdfs", "hdfsCluster", "hudi", "hudiCluster",
            "iceberg",
            "icebergAzure", "icebergHDFS", "icebergLocal", "icebergS3", "icebergCluster", "jdbc", "mongodb", "mysql", "odbc", "oss", "cosn",
            "paimon", "paimonLocal", "postgresql", "python", "redis", "remote", "remoteSecure", "s3", "s3Cluster", "sqlite", "url",
            "urlCluster",
            "ytsaurus", "arrowFlight",
        ],
        StringComparer.OrdinalIgnoreCase);

    private readonly string _sql;
    private int _index;
    private bool _hasBegun;
    private bool _hasEnded;
    private string? _lastName; // The name that stands before the place, comments and blanks aside.

    private ReadOnlySql(string sql) => _sql = sql;

    /// <summary>Why the SQL is refused, or null when it may be asked.</summary>
    public static string? Refuse(string sql) => sql.Length > TextCharsMax
        ? $"the question has {sql.Length} characters; allowed: {TextCharsMax}"
        : new ReadOnlySql(sql).Refuse();

    private string? Refuse()
    {
        while (_index < _sql.Length)
        {
            if (Step() is { } refused)
            {
                return refused;
            }
        }

        return _hasBegun ? null : "the question is empty";
    }

    private string? Step()
    {
        var letter = _sql[_index];
        var next = _index + 1 < _sql.Length ? _sql[_index + 1] : '\0';
        if (char.IsWhiteSpace(letter))
        {
            _index++;
            return null;
        }

        if (letter == '-' && next == '-')
        {
            var end = _sql.IndexOf('\n', _index);
            _index = end < 0 ? _sql.Length : end + 1;
            return null;
        }

        if (letter == '/' && next == '*')
        {
            return StepOverComment();
        }

        if (_hasEnded && letter != ';')
        {
            return OneStatement;
        }

        return letter switch
        {
            '\'' or '"' or '`' => StepOverQuoted(letter),
            _ when char.IsAsciiLetterOrDigit(letter) || letter == '_' => StepOverWord(),
            '$' or '#' or '\0' or > '\x7f' => $"the letter '{letter}' is only allowed in quotes here",
            _ => StepOverSign(letter),
        };
    }

    private string? StepOverComment()
    {
        var end = _sql.IndexOf("*/", _index + 2, StringComparison.Ordinal);
        if (end < 0 || _sql.AsSpan(_index + 2, end - _index - 2).Contains("/*", StringComparison.Ordinal))
        {
            return "a comment is not closed, or holds another one";
        }

        _index = end + 2;
        return null;
    }

    /// <summary>A backslash takes the next letter with it; a doubled quote ends the text and begins it again: the same here.</summary>
    private string? StepOverQuoted(char quote)
    {
        var from = _index + 1;
        for (_index = from; _index < _sql.Length && _sql[_index] != quote; _index++)
        {
            if (_sql[_index] == '\\')
            {
                if (quote != '\'')
                {
                    return "a backslash in a quoted name is not allowed here";
                }

                _index++;
            }
        }

        if (_index >= _sql.Length)
        {
            return "a quote is not closed";
        }

        _lastName = quote == '\'' ? null : _sql[from.._index];
        _index++;
        return _hasBegun ? null : $"only questions are answered ({string.Join(", ", _readers)})";
    }

    private string? StepOverWord()
    {
        var from = _index;
        while (_index < _sql.Length && (char.IsAsciiLetterOrDigit(_sql[_index]) || _sql[_index] == '_'))
        {
            _index++;
        }

        var word = _sql[from.._index];
        _lastName = word;
        if (!_hasBegun && !_readers.Contains(word))
        {
            return $"only questions are answered ({string.Join(", ", _readers)}), not {word}";
        }

        _hasBegun = true;
        return _refusedWords.Contains(word) ? $"{word.ToUpperInvariant()} is not allowed here" : null;
    }

    private string? StepOverSign(char sign)
    {
        if (sign == '(' && _lastName is { } name && _refusedFunctions.Contains(name))
        {
            return $"{name}(…) reads from elsewhere than the store, which is not allowed here";
        }

        _lastName = null;
        _hasEnded |= sign == ';';
        _index++;
        return null;
    }
}
