using Weir.Bench.Lines;

namespace Weir.Bench;

/// <summary>What <c>weir-bench</c> was asked to do.</summary>
internal sealed record BenchOptions
{
    /// <summary>The usage text.</summary>
    internal const string Help = """
        Usage: ./weir-bench [options]

        Measures Weir beside what one would use instead, in turns in one run, and prints ours, peer, ratio, floor, goal and baseline of
        each line. The ratios count; the times are this machine's. Exit code 0; 1 when the gate fails or two peers disagree; 2 for
        wrong usage.

          --quick                 fewer rounds and smaller sizes, under 5 minutes; leaves out the lines that take minutes alone
                                  (process.exactness, process.telemetry), unless --only names them
          --gate                  exit 1 where a ratio is beyond its floor, or more than 25 % worse than the baseline
          --only LINE[,LINE]      these lines only; vs.clickhouse stands for all that begin with it and a dot
          --json FILE             also write the table as JSON
          --baseline FILE         compare with this file (default: bench/baseline/weir-bench.json)
          --write-baseline        write the figures to the baseline file; lines that were not measured keep theirs
          --list                  print the lines and what they measure
          --help                  print this

        Other modes: --ratios [SUITE...] (short suites of single types), --filter PATTERN ... (BenchmarkDotNet).
        bench/README.md explains each line and its peer.
        """;

    private static readonly string[] _known =
        ["--quick", "--gate", "--list", "--help", "-h", "--write-baseline", "--only", "--json", "--baseline"];

    /// <summary>Fewer rounds.</summary>
    public bool IsQuick { get; init; }

    /// <summary>The exit code is the gate's.</summary>
    public bool IsGate { get; init; }

    /// <summary>Lines to measure; empty for all.</summary>
    public IReadOnlyList<string> Only { get; init; } = [];

    /// <summary>Where the JSON goes; null for nowhere.</summary>
    public string? JsonPath { get; init; }

    /// <summary>The baseline's file; null for the repository's.</summary>
    public string? BaselinePath { get; init; }

    /// <summary>The figures become the baseline.</summary>
    public bool WritesBaseline { get; init; }

    /// <summary>Print the lines only.</summary>
    public bool IsList { get; init; }

    /// <summary>Print the help only.</summary>
    public bool IsHelp { get; init; }

    /// <summary>Reads the command line.</summary>
    /// <param name="arguments">The arguments.</param>
    /// <param name="groups">The lines that there are.</param>
    /// <param name="error">What is wrong with it; null when nothing is.</param>
    internal static BenchOptions Parse(IReadOnlyList<string> arguments, IReadOnlyList<LineGroup> groups, out string? error)
    {
        var options = new BenchOptions();
        error = null;
        for (var index = 0; index < arguments.Count && error is null; index++)
        {
            var argument = arguments[index];
            var value = index + 1 < arguments.Count ? arguments[index + 1] : null;
            if (argument is "--only" or "--json" or "--baseline")
            {
                error = value is null ? $"{argument} needs a value." : null;
                index++;
            }

            options = argument switch
            {
                "--quick" => options with { IsQuick = true },
                "--gate" => options with { IsGate = true },
                "--list" => options with { IsList = true },
                "--help" or "-h" => options with { IsHelp = true },
                "--write-baseline" => options with { WritesBaseline = true },
                "--only" => options with { Only = [.. options.Only, .. Names(value)] },
                "--json" => options with { JsonPath = value },
                "--baseline" => options with { BaselinePath = value },
                _ => options,
            };
            if (!_known.Contains(argument))
            {
                error = $"There is no option {argument}; --help shows those that there are.";
            }
        }

        var unknown = options.Only.FirstOrDefault(name => !groups.Any(group => group.IsNamed(name)));
        error ??= unknown is null ? null : $"There is no line {unknown}; --list shows those that there are.";
        return options;
    }

    /// <summary>True when a line is to be shown.</summary>
    internal bool Wants(string id) => Only.Count == 0 || Only.Any(name => LineGroup.IsNamed(id, name));

    /// <summary>True when a group is to be measured.</summary>
    internal bool Wants(LineGroup group) => Only.Count == 0 || Only.Any(group.IsNamed);

    /// <summary>True when a group would take longer than a quick run may, and nobody has asked for it by name.</summary>
    internal bool LeavesOut(LineGroup group) => IsQuick && group.IsLong && Only.Count == 0;

    private static string[] Names(string? list) =>
        (list ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
}
