using System.Text.Json;
using System.Text.Json.Serialization;

namespace Weir.Bench.Report;

/// <summary>A run in the form in which it is written as JSON; a baseline is one of them.</summary>
internal sealed record BenchReport
{
    /// <summary>Version of this form.</summary>
    internal const int VersionNow = 1;

    private static readonly JsonSerializerOptions _options = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        WriteIndented = true,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
    };

    /// <summary><see cref="VersionNow"/>.</summary>
    public int Version { get; init; } = VersionNow;

    /// <summary>When it was made.</summary>
    public DateTimeOffset MadeAt { get; init; }

    /// <summary>Where it was made: cores, processor, runtime.</summary>
    public string Machine { get; init; } = "";

    /// <summary>True for a run with <c>--quick</c>.</summary>
    public bool Quick { get; init; }

    /// <summary>Rounds of each line.</summary>
    public int Rounds { get; init; }

    /// <summary>The lines, in the order of the table.</summary>
    public IReadOnlyList<BenchReportLine> Lines { get; init; } = [];

    /// <summary>Reads what <see cref="ToJson"/> has written.</summary>
    /// <exception cref="InvalidDataException">It is something else.</exception>
    internal static BenchReport Parse(string json, string name)
    {
        try
        {
            var report = JsonSerializer.Deserialize<BenchReport>(json, _options);
            return report is { Version: VersionNow }
                ? report
                : throw new InvalidDataException($"{name} has version {report?.Version}, not {VersionNow}; write it anew with "
                    + "--write-baseline.");
        }
        catch (JsonException error)
        {
            throw new InvalidDataException($"{name} is not a report of weir-bench: {error.Message}", error);
        }
    }

    /// <summary>The ratios by line, for a comparison.</summary>
    internal IReadOnlyDictionary<string, double> Ratios() =>
        Lines.Where(line => line.Ratio is not null).ToDictionary(line => line.Id, line => line.Ratio!.Value, StringComparer.Ordinal);

    /// <summary>The report as JSON.</summary>
    internal string ToJson() => JsonSerializer.Serialize(this, _options) + "\n";

    /// <summary>Takes the lines of an earlier report that this one lacks, so that a part can be measured again alone.</summary>
    internal BenchReport With(BenchReport earlier)
    {
        var own = Lines.Where(line => line.Ratio is not null).ToDictionary(line => line.Id, StringComparer.Ordinal);
        var kept = earlier.Lines.Select(line => own.Remove(line.Id, out var mine) ? mine : line);
        return this with { Lines = [.. kept, .. Lines.Where(line => own.ContainsKey(line.Id))] };
    }
}

/// <summary>A line of a <see cref="BenchReport"/>.</summary>
/// <param name="Id">Its name.</param>
/// <param name="Title">What is compared.</param>
/// <param name="Unit">Of ours and peer.</param>
/// <param name="Ours">Ours.</param>
/// <param name="Peer">The peer's.</param>
/// <param name="Ratio">The figure that counts.</param>
/// <param name="Bound"><c>at_least</c> or <c>at_most</c>; null for a line that informs.</param>
/// <param name="Floor">Where the gate fails.</param>
/// <param name="Goal">What is wanted.</param>
/// <param name="Baseline">The ratio of the baseline of the run.</param>
/// <param name="Verdict">What the gate thinks.</param>
/// <param name="Note">What one has to know.</param>
/// <param name="Skipped">Why it was not measured.</param>
internal sealed record BenchReportLine(
    string Id,
    string Title,
    string Unit,
    double? Ours,
    double? Peer,
    double? Ratio,
    string? Bound,
    double? Floor,
    double? Goal,
    double? Baseline,
    string Verdict,
    string? Note,
    string? Skipped)
{
    /// <summary>The line with its verdict.</summary>
    internal static BenchReportLine Of(LineResult line, double? baseline) => new(
        line.Id,
        line.Title,
        line.Unit,
        Rounded(line.Ours),
        Rounded(line.Peer),
        Rounded(line.Ratio),
        line.Target is null ? null : JsonNamingPolicy.SnakeCaseLower.ConvertName(line.Target.Bound.ToString()),
        line.Target?.Floor,
        line.Target?.Goal,
        baseline,
        JsonNamingPolicy.SnakeCaseLower.ConvertName(Gate.Judge(line, baseline).ToString()),
        line.Note.Length > 0 ? line.Note : null,
        line.Skipped);

    // Four digits: the fifth is noise, and a baseline that is committed shall not change in it.
    private static double? Rounded(double? value) => value is null or 0 || !double.IsFinite(value.Value)
        ? value
        : Math.Round(value.Value, Math.Clamp(3 - (int)Math.Floor(Math.Log10(Math.Abs(value.Value))), 0, 15));
}
