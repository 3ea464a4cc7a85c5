namespace Weir.Writer;

/// <summary>Names and values inside SQL text.</summary>
public static class SqlText
{
    /// <summary>A name in backquotes, as both old and new servers read it.</summary>
    public static string Name(string name) => $"`{Escape(name).Replace("`", "\\`", StringComparison.Ordinal)}`";

    /// <summary>A table; one that names its database with a dot is of that, any other of <paramref name="database"/>.</summary>
    public static string Table(string database, string table) => table.Split('.') is [var other, var name]
        ? $"{Name(other)}.{Name(name)}"
        : $"{Name(database)}.{Name(table)}";

    /// <summary>A text in quotes.</summary>
    public static string Text(string text) => $"'{Escape(text).Replace("'", "\\'", StringComparison.Ordinal)}'";

    private static string Escape(string text) => text.Replace("\\", "\\\\", StringComparison.Ordinal);
}
