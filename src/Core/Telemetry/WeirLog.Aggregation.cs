using Microsoft.Extensions.Logging;
using Weir.Core.Model;

namespace Weir.Core.Telemetry;

public static partial class WeirLog
{
    /// <summary>A cut has more series than its view allows; the cut before had not.</summary>
    [LoggerMessage(
        3001,
        LogLevel.Warning,
        "View {View} met its limit of {SeriesMax} series in a cut of {Partition}: {RecordCount} records are in its overflow series "
        + "(totals are exact, tags are not kept); raise the view's series limit, cut more often, or drop the tag that exploded")]
    public static partial void SeriesLimitMet(ILogger logger, string view, PartitionKey partition, int seriesMax, long recordCount);

    /// <summary>A cut is within the limit again.</summary>
    [LoggerMessage(3002, LogLevel.Information, "View {View} is within its limit of series again, in a cut of {Partition}")]
    public static partial void SeriesLimitLeft(ILogger logger, string view, PartitionKey partition);
}
