using System.Text;

namespace Weir.Host.Options;

/// <summary>Prints the effective configuration as YAML that can be fed back.</summary>
internal static class OptionsPrinter
{
    private const int CommentColumn = 48;

    /// <summary>The effective configuration: every option, with where its value comes from, secrets masked.</summary>
    public static string Print(LoadedOptions loaded)
    {
        var text = new StringBuilder("# The effective configuration of weir. docs/configuration.md describes each option.\n");
        var open = Array.Empty<string>();
        foreach (var spec in OptionSpecs.All)
        {
            var steps = spec.Path.Split('.');
            var shared = 0;
            while (shared < open.Length && shared < steps.Length - 1 && open[shared] == steps[shared])
            {
                shared++;
            }

            for (var depth = shared; depth < steps.Length - 1; depth++)
            {
                text.Append(' ', depth * 2).Append(steps[depth]).Append(":\n");
            }

            open = steps[..^1];
            PrintOption(text, spec, loaded, steps);
        }

        return text.ToString();
    }

    private static void PrintOption(StringBuilder text, OptionSpec spec, LoadedOptions loaded, string[] steps)
    {
        var indent = new string(' ', (steps.Length - 1) * 2);
        var lines = spec.Print(loaded.Options);
        if (lines is null)
        {
            text.Append(indent).Append("# ").Append(steps[^1]).Append(": not set\n");
            return;
        }

        var origin = loaded.OriginByPath.TryGetValue(spec.Path, out var given) ? given.ToString() : "default";
        var first = $"{indent}{steps[^1]}:{(lines[0].Length == 0 ? "" : " ")}{lines[0]}";
        text.Append(first.PadRight(CommentColumn)).Append(" # ").Append(origin).Append('\n');
        foreach (var line in lines.Skip(1))
        {
            text.Append(indent).Append("  ").Append(line).Append('\n');
        }
    }
}
