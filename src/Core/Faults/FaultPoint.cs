using System.Diagnostics;
using System.Globalization;

namespace Weir.Core.Faults;

/// <summary>Named steps at which the fault tests kill the process: <c>WEIR_FAULT=after-plan:3</c> kills it at the third hit of that step.</summary>
/// <remarks>
/// Any thread. The variable is read once, when the class is first used; without it a hit costs a test of a constant. Nothing of
/// the process runs after the kill: it is SIGKILL, as the kernel or an operator would send it.
/// </remarks>
public static class FaultPoint
{
    /// <summary>The variable.</summary>
    public const string Variable = "WEIR_FAULT";

    /// <summary>A cut is closed; its plan is not yet sent to Kafka.</summary>
    public const string BeforePlan = "before-plan";

    /// <summary>Kafka has accepted a plan; nothing of the cut is inserted.</summary>
    public const string AfterPlan = "after-plan";

    /// <summary>Some blocks of a cut are inserted, not all.</summary>
    public const string MidInsert = "mid-insert";

    /// <summary>All blocks of a cut are inserted; its ledger rows are not.</summary>
    public const string AfterInsert = "after-insert";

    /// <summary>The ledger rows of a cut are inserted; the cut is not yet reported as stored.</summary>
    public const string AfterLedger = "after-ledger";

    /// <summary>Kafka has accepted a commit that passes over stored cuts.</summary>
    public const string AfterCommit = "after-commit";

    /// <summary>Leaves plans and ledger rows out: for the benchmark of what they cost, and for nothing else.</summary>
    public const string NoNames = "no-names";

    /// <summary>Leaves probes, diagnosis and the page's history out: for the benchmark of what they cost, and for nothing else.</summary>
    public const string NoTelemetry = "no-telemetry";

    private static readonly (string Name, int Hits)? _fault = Parse(Environment.GetEnvironmentVariable(Variable));
    private static int _hitCount;

    /// <summary>True where <see cref="NoNames"/> was asked for: a crash then loses or doubles records, and no audit can tell.</summary>
    public static bool LeavesNamesOut => _fault is { Name: NoNames };

    /// <summary>True where <see cref="NoTelemetry"/> was asked for.</summary>
    public static bool LeavesTelemetryOut => _fault is { Name: NoTelemetry };

    /// <summary>The process passes the step <paramref name="name"/>: it may be killed here.</summary>
    public static void Hit(string name)
    {
        if (_fault is { } fault && fault.Name == name && Interlocked.Increment(ref _hitCount) == fault.Hits)
        {
            Die();
        }
    }

    /// <summary>Reads <c>NAME</c> or <c>NAME:N</c>; null for nothing, and for a fault of the clock (<see cref="FaultClock"/>).</summary>
    /// <exception cref="FormatException">N is not a number from 1.</exception>
    internal static (string Name, int Hits)? Parse(string? text)
    {
        if (string.IsNullOrEmpty(text) || text.StartsWith(FaultClock.Prefix, StringComparison.Ordinal))
        {
            return null;
        }

        var colon = text.IndexOf(':', StringComparison.Ordinal);
        if (colon < 0)
        {
            return (text, 1);
        }

        return int.TryParse(text.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var hits) && hits > 0
            ? (text[..colon], hits)
            : throw new FormatException($"{Variable} is {text}; allowed NAME or NAME:N with N from 1.");
    }

    private static void Die()
    {
        using var self = Process.GetCurrentProcess();
        self.Kill();
        Thread.Sleep(Timeout.Infinite); // The signal is on its way; nothing after this step may happen.
    }
}
