using System.Globalization;
using System.Text;

namespace Weir.Host.Options;

/// <summary>Writes single values as YAML.</summary>
internal static class YamlText
{
    /// <summary>Letters that a plain value may hold anywhere but at its start.</summary>
    private const string PlainLetters = "_./-:*+@~";

    private static readonly string[] _wordsWithMeaning = ["null", "true", "false", "yes", "no", "on", "off", "~"];

    /// <summary>A value, in quotes where YAML would take it for something else.</summary>
    public static string Scalar(string text) => IsPlain(text) ? text : Quoted(text);

    /// <summary>The text with the user and password of an address hidden; for messages that repeat what was given.</summary>
    public static string WithoutUserInfo(string text)
    {
        var scheme = text.IndexOf("://", StringComparison.Ordinal);
        var at = text.LastIndexOf('@');
        return scheme >= 0 && at > scheme ? string.Concat(text.AsSpan(0, scheme + 3), OptionSpec.Mask, text.AsSpan(at)) : text;
    }

    private static bool IsPlain(string text) =>
        text.Length > 0
        && (char.IsAsciiLetterOrDigit(text[0]) || text[0] is '/' or '.' or '_')
        && text.All(letter => char.IsAsciiLetterOrDigit(letter) || PlainLetters.Contains(letter, StringComparison.Ordinal))
        && text[^1] != ':'
        && (text is "true" or "false" || !_wordsWithMeaning.Contains(text, StringComparer.OrdinalIgnoreCase));

    private static string Quoted(string text)
    {
        var quoted = new StringBuilder("\"");
        foreach (var letter in text)
        {
            _ = letter switch
            {
                '"' or '\\' => quoted.Append('\\').Append(letter),
                '\n' => quoted.Append("\\n"),
                '\t' => quoted.Append("\\t"),
                '\r' => quoted.Append("\\r"),
                _ when char.IsControl(letter) || letter is '\u2028' or '\u2029' or '\ufeff' =>
                    quoted.Append(CultureInfo.InvariantCulture, $"\\u{(int)letter:x4}"),
                _ => quoted.Append(letter),
            };
        }

        return quoted.Append('"').ToString();
    }
}
