namespace Weir.Host.Reload;

/// <summary>What became of one reload.</summary>
/// <param name="Applied">Options whose new value is in force.</param>
/// <param name="AtCut">Options that come into force once everything read is cut, stored and committed, which has begun.</param>
/// <param name="NeedRestart">Options that have changed in the file and keep their old value until the process is started anew.</param>
/// <param name="Problems">Why the file was refused, as a whole; nothing has changed then.</param>
internal sealed record ReloadReport(
    IReadOnlyList<string> Applied, IReadOnlyList<string> AtCut, IReadOnlyList<string> NeedRestart, IReadOnlyList<string> Problems)
{
    /// <summary>True when the file was refused.</summary>
    public bool IsRefused => Problems.Count > 0;

    /// <summary>The report of a file that was refused.</summary>
    public static ReloadReport Refused(params IEnumerable<string> problems) => new([], [], [], [.. problems]);

    /// <summary>In one line, for the log and for <c>weir reload</c>.</summary>
    public override string ToString()
    {
        if (IsRefused)
        {
            return $"refused, and nothing has changed: {string.Join("; ", Problems)}";
        }

        var parts = new List<string>();
        Add("in force", Applied);
        Add("in force when what was read is stored", AtCut);
        Add("kept until weir is started anew", NeedRestart);
        return parts.Count == 0 ? "nothing has changed" : string.Join("; ", parts);

        void Add(string words, IReadOnlyList<string> paths)
        {
            if (paths.Count > 0)
            {
                parts.Add($"{words}: {string.Join(", ", paths)}");
            }
        }
    }
}
