namespace Weir.Host.Options;

/// <summary>Widths of time windows: whole seconds that divide a day.</summary>
internal static class Granularities
{
    private const int SecondsPerDay = 86_400;

    /// <summary>The rule in words.</summary>
    public const string Allowed = "whole seconds that divide a day, such as 1s, 10s, 1m, 5m, 1h, 1d";

    /// <summary>The seconds of a text such as <c>10s</c>, or null.</summary>
    public static int? TryParse(string text) =>
        Durations.TryParse(text, out var value)
        && value.Ticks > 0
        && value.Ticks % TimeSpan.TicksPerSecond == 0
        && value <= TimeSpan.FromDays(1)
        && SecondsPerDay % (int)value.TotalSeconds == 0
            ? (int)value.TotalSeconds
            : null;

    /// <summary>The text of a width.</summary>
    public static string Format(int seconds) => Durations.Format(TimeSpan.FromSeconds(seconds));
}
