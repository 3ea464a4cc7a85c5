namespace Weir.Host.Admin;

/// <summary>Names of ClickHouse's output formats.</summary>
internal static class QueryFormats
{
    /// <summary>Longest name that is passed on.</summary>
    private const int NameCharsMax = 64;

    /// <summary>True for what can be a format's name; whether there is such a format, ClickHouse says.</summary>
    public static bool IsName(string text) =>
        text.Length is >= 1 and <= NameCharsMax && text.All(char.IsAsciiLetterOrDigit);

    /// <summary>The content type of a format's output.</summary>
    public static string ContentTypeOf(string format)
    {
        if (format.StartsWith("JSON", StringComparison.OrdinalIgnoreCase))
        {
            return "application/json; charset=utf-8";
        }

        if (format.StartsWith("CSV", StringComparison.OrdinalIgnoreCase))
        {
            return "text/csv; charset=utf-8";
        }

        return format is "Native" or "RowBinary" or "RowBinaryWithNamesAndTypes" or "Parquet" or "ORC" or "Arrow" or "ArrowStream"
            ? "application/octet-stream"
            : "text/plain; charset=utf-8";
    }
}
