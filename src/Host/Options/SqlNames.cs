namespace Weir.Host.Options;

/// <summary>The names that databases, tables and columns may have.</summary>
internal static class SqlNames
{
    /// <summary>Longest name.</summary>
    private const int CharsMax = 64;

    /// <summary>The rule in words.</summary>
    public const string Allowed = "letters, digits and _, not beginning with a digit, at most 64";

    /// <summary>True for a name that SQL takes without quotes.</summary>
    public static bool IsIdentifier(string text) =>
        text.Length is >= 1 and <= CharsMax
        && !char.IsAsciiDigit(text[0])
        && text.All(letter => char.IsAsciiLetterOrDigit(letter) || letter == '_');
}
