namespace Weir.Host.Options;

/// <summary>Something wrong, or worth a warning, in the configuration.</summary>
/// <param name="Path">Path of the option, such as <c>flush.interval</c>.</param>
/// <param name="Origin">Where its value was given; null when it was not.</param>
/// <param name="Text">What is wrong, with the value as given and what is allowed.</param>
internal sealed record OptionIssue(string Path, ConfigOrigin? Origin, string Text)
{
    /// <summary><c>weir.yaml:12: flush.interval is 0s; allowed: 100ms to 1h</c>.</summary>
    public override string ToString() => Origin is null ? $"{Path} {Text}" : $"{Origin}: {Path} {Text}";
}

/// <summary>Collects everything that is wrong, so that all of it is told at once.</summary>
internal sealed class OptionIssues
{
    /// <summary>Characters of a value that a message repeats.</summary>
    private const int ValueCharsMax = 80;

    private readonly List<OptionIssue> _errors = [];
    private readonly List<OptionIssue> _warnings = [];

    /// <summary>What makes the configuration unusable.</summary>
    public IReadOnlyList<OptionIssue> Errors => _errors;

    /// <summary>What is odd but has a meaning.</summary>
    public IReadOnlyList<OptionIssue> Warnings => _warnings;

    /// <summary>Adds an error in free words, which follow the path.</summary>
    public void Error(string path, ConfigOrigin? origin, string text) => _errors.Add(new OptionIssue(path, origin, text));

    /// <summary>Adds a warning in free words, which follow the path.</summary>
    public void Warn(string path, ConfigOrigin? origin, string text) => _warnings.Add(new OptionIssue(path, origin, text));

    /// <summary>Adds the error that a value is not one of those allowed.</summary>
    public void NotAllowed(string path, ConfigOrigin? origin, string value, string allowed) =>
        Error(path, origin, $"is {Quote(value)}; allowed: {allowed}");

    /// <summary>Adds the error that a value has the wrong shape, such as a list in the place of a map.</summary>
    public void WrongShape(string path, ConfigNode node, string expected) =>
        Error(path, node.Origin, $"is {node.KindName}; allowed: {expected}");

    /// <summary>Adds the error that a key does not exist, with the nearest one that does.</summary>
    public void UnknownKey(string path, ConfigOrigin origin, IEnumerable<string> known)
    {
        var nearest = Spelling.Nearest(path, known);
        Error(path, origin, nearest is null ? "is not an option" : $"is not an option; did you mean {nearest}?");
    }

    /// <summary>A value as a message repeats it: in quotes where it would be unclear, on one line, not too long.</summary>
    public static string Quote(string value)
    {
        var shown = value.Length > ValueCharsMax ? value[..ValueCharsMax] + "…" : value;
        shown = string.Concat(shown.Select(letter => char.IsControl(letter) ? '?' : letter));
        return shown.Length == 0 || shown.Contains(' ', StringComparison.Ordinal) ? $"\"{shown}\"" : shown;
    }
}
