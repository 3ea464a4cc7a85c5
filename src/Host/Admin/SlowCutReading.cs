using Weir.Core.Telemetry;

namespace Weir.Host.Admin;

/// <summary>A slow cut as <c>/slow-cuts</c> shows it.</summary>
internal sealed class SlowCutReading(CutTrace trace)
{
    /// <summary>Kafka's topic.</summary>
    public string Topic => trace.Partition.Topic;

    /// <summary>Kafka's partition.</summary>
    public int Partition => trace.Partition.Partition;

    /// <summary>First offset.</summary>
    public long FromOffset => trace.FromOffset;

    /// <summary>The offset after the last one.</summary>
    public long ToOffset => trace.ToOffset;

    /// <summary>Records read.</summary>
    public long Records => trace.RecordCount;

    /// <summary>Rows of its blocks.</summary>
    public long Rows => trace.RowCount;

    /// <summary>When it was stored.</summary>
    public DateTimeOffset StoredAt => trace.StoredAt;

    /// <summary>From its end to its rows being readable.</summary>
    public double Seconds => trace.Duration.TotalSeconds;

    /// <summary>Seconds of each step.</summary>
    public IReadOnlyDictionary<string, double> Steps => trace.Steps.ToDictionary(step => step.Name, step => (step.To - step.From).TotalSeconds);

    /// <summary>Its inserts, in order.</summary>
    public IEnumerable<InsertReading> Inserts => trace.Inserts.Select(insert => new InsertReading(
        insert.View, insert.Part, insert.RowCount, insert.AttemptCount, insert.Duration.TotalSeconds, insert.LastError));

    /// <summary>One insert of a slow cut.</summary>
    /// <param name="View">The view.</param>
    /// <param name="Part">Number of the block among the view's.</param>
    /// <param name="Rows">Its rows.</param>
    /// <param name="Attempts">Attempts until it was stored.</param>
    /// <param name="Seconds">From the first attempt to the last answer.</param>
    /// <param name="LastError">What a failed attempt was answered; null when none failed.</param>
    internal sealed record InsertReading(string View, int Part, long Rows, int Attempts, double Seconds, string? LastError);
}
