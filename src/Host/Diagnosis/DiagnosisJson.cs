using System.Text.Json;
using System.Text.Json.Serialization;

namespace Weir.Host.Diagnosis;

/// <summary>The report as <c>/diagnose</c> and <c>weir diagnose --json</c> write it: snake_case, every key always there.</summary>
internal static class DiagnosisJson
{
    private static readonly JsonSerializerOptions _options = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.SnakeCaseLower) },
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        WriteIndented = true,
    };

    /// <summary>Writes a report.</summary>
    public static string Write(DiagnosisReport report) => JsonSerializer.Serialize(report, _options) + "\n";

    /// <summary>Reads what <see cref="Write"/> wrote.</summary>
    /// <exception cref="JsonException">It is no report.</exception>
    public static DiagnosisReport Read(string text) =>
        JsonSerializer.Deserialize<DiagnosisReport>(text, _options) ?? throw new JsonException("The report is null.");
}
