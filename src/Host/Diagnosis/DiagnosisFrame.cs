using Weir.Core.Telemetry;
using Weir.Host.Telemetry;

namespace Weir.Host.Diagnosis;

/// <summary>One reading of everything that a diagnosis looks at.</summary>
/// <param name="Time">When it was made.</param>
/// <param name="Elapsed">Time since the start of the process, never running backwards.</param>
/// <param name="Host">The stages.</param>
/// <param name="Process">The process and its machine.</param>
/// <param name="SampledCounts">Records that each worker's probe had sampled.</param>
/// <param name="Cardinalities">Distinct values of each tag of the finest view in the last one to two minutes, estimated.</param>
internal sealed record DiagnosisFrame(
    DateTimeOffset Time,
    TimeSpan Elapsed,
    HostSnapshot Host,
    ProcessReading Process,
    IReadOnlyList<long> SampledCounts,
    IReadOnlyList<(string Tag, long Count)> Cardinalities);

/// <summary>The frames of the last seconds, and what changed between the first and the last.</summary>
/// <param name="Options">What the process runs with.</param>
/// <param name="Frames">At least two, oldest first.</param>
/// <param name="History">Those, and older ones before them.</param>
/// <param name="Probes">The workers' probes.</param>
internal sealed record DiagnosisWindow(
    WeirOptions Options, IReadOnlyList<DiagnosisFrame> Frames, IReadOnlyList<DiagnosisFrame> History, IReadOnlyList<FlowProbe> Probes)
{
    /// <summary>Time in which the backlog of input would be worked off at the present rate, above which the process is behind.</summary>
    private const double BehindSeconds = 0.3;

    /// <summary>Part of a backlog that must remain over the window; one that shrinks faster is being caught up with.</summary>
    private const double CatchingUpShare = 0.8;

    /// <summary>What the server's own log said last of the inserts; null before it was asked.</summary>
    public InsertLogReading? InsertLog { get; init; }

    /// <summary>The oldest frame.</summary>
    public DiagnosisFrame First => Frames[0];

    /// <summary>The newest frame.</summary>
    public DiagnosisFrame Last => Frames[^1];

    /// <summary>Seconds between them.</summary>
    public double Seconds => (Last.Elapsed - First.Elapsed).TotalSeconds;

    /// <summary>Messages read a second.</summary>
    public double MessageRate => Rate(frame => frame.Host.Ingest.MessageCount);

    /// <summary>Records read a second.</summary>
    public double ReadRate => Rate(frame => frame.Host.Ingest.ReadCount);

    /// <summary>True when the input has a backlog in every frame, and it does not shrink.</summary>
    public bool IsBehind =>
        Frames.All(frame => LagOf(frame) > Math.Max(MessageRate * BehindSeconds, 1)) && LagOf(Last) >= LagOf(First) * CatchingUpShare;

    /// <summary>How much a number grew.</summary>
    public long Delta(Func<DiagnosisFrame, long> of) => of(Last) - of(First);

    /// <summary>How much a time grew, as a part of the window.</summary>
    public double Share(Func<DiagnosisFrame, TimeSpan> of) => (of(Last) - of(First)).TotalSeconds / Seconds;

    /// <summary>How much a number grew a second.</summary>
    public double Rate(Func<DiagnosisFrame, long> of) => Delta(of) / Seconds;

    /// <summary>Messages of all partitions that are not read.</summary>
    public static long LagOf(DiagnosisFrame frame) => frame.Host.Ingest.Partitions.Sum(partition => partition.Lag);

    /// <summary>Part of the window that a thread ran or could have run: at 1 it never waited for anything but a processor.</summary>
    public double Busy(string thread) =>
        Math.Min(Share(frame => Time(frame, thread).Cpu + Time(frame, thread).Wait), 1);

    /// <summary>Part of the window that a thread was on a processor.</summary>
    public double Cpu(string thread) => Share(frame => Time(frame, thread).Cpu);

    /// <summary>Part of the window that a thread waited for a processor.</summary>
    public double Starved(string thread) => Share(frame => Time(frame, thread).Wait);

    private static StageTime Time(DiagnosisFrame frame, string thread) => frame.Process.Stages.GetValueOrDefault(thread);
}
