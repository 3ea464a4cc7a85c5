using System.Globalization;

namespace Weir.Host.Audit;

/// <summary>Numbers, ranges and times as an audit tells them.</summary>
internal static class AuditWords
{
    /// <summary>A number of things, such as <c>1,234 records</c>.</summary>
    public static string Count(long count, string one) =>
        string.Create(CultureInfo.InvariantCulture, $"{count:N0} {one}{(count == 1 ? "" : "s")}");

    /// <inheritdoc cref="Count(long, string)"/>
    public static string Count(ulong count, string one) =>
        string.Create(CultureInfo.InvariantCulture, $"{count:N0} {one}{(count == 1 ? "" : "s")}");

    /// <summary>The offsets of <c>[from, to)</c>, such as <c>offsets 100 to 199</c>.</summary>
    public static string Offsets(long from, long to) => to - from == 1
        ? string.Create(CultureInfo.InvariantCulture, $"offset {from}")
        : string.Create(CultureInfo.InvariantCulture, $"offsets {from} to {to - 1}");

    /// <summary>A time in UTC.</summary>
    public static string Time(uint seconds) =>
        DateTimeOffset.FromUnixTimeSeconds(seconds).ToString("yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture);

    /// <summary>The event times of a cut; nothing for one without records.</summary>
    public static string Events(LedgerRow cut) =>
        cut.LastEvent == 0 ? "" : $", event time {Time(cut.FirstEvent)} to {Time(cut.LastEvent)} UTC";

    /// <summary>A UTC day.</summary>
    public static string Day(int day) => DateOnly.FromDayNumber(_epochDay + day).ToString("yyyy-MM-dd", CultureInfo.InvariantCulture);

    private static readonly int _epochDay = DateOnly.FromDateTime(DateTime.UnixEpoch).DayNumber;
}
