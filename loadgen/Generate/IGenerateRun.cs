namespace Weir.Loadgen.Generate;

/// <summary>A run of the generator, as its command shows it.</summary>
/// <remarks>Progress may be read from any thread, totals when the run has ended.</remarks>
public interface IGenerateRun
{
    /// <summary>Records sent so far.</summary>
    long HandledRecordCount { get; }

    /// <summary>Bytes of message values sent so far, before compression.</summary>
    long HandledBytes { get; }

    /// <summary>How far behind its schedule the run is; 0 when it has none.</summary>
    double BehindSeconds { get; }

    /// <summary>Since the first message.</summary>
    TimeSpan Elapsed { get; }

    /// <summary>Time in which nothing was sent because broker or consumer had no room: where there is much of it, they are slower than
    /// this run.</summary>
    double WaitedSeconds { get; }

    /// <summary>What the records that were sent add up to.</summary>
    GeneratedTotals Totals { get; }

    /// <summary>Records that nothing took.</summary>
    long UnsentRecordCount { get; }

    /// <summary>CPU time of the thread that makes and sends.</summary>
    TimeSpan GeneratorCpu { get; }

    /// <summary>SHA-256 over partition, time, length and value of each message, once the run has ended; null when not asked for.</summary>
    string? Hash { get; }

    /// <summary>What is wrong with the broker or with the followed consumer, in words; null for nothing.</summary>
    string? Problem { get; }
}
