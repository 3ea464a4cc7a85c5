using System.Globalization;
using Weir.Host.Options;

namespace Weir.Host.Diagnosis;

/// <summary>The risk that the kernel kills the process, since its container has no memory left.</summary>
/// <remarks>It holds nothing up before it happens, so it takes the blame for nothing that was found beside it.</remarks>
internal static class MemoryRules
{
    /// <summary>Name of the cause.</summary>
    public const string Id = "memory-near-limit";

    private const double NearShare = 0.9;
    private const double ComfortableShare = 0.8;
    private const long StepBytes = 64L << 20;
    private const long LimitBytesMin = 4 * StepBytes;

    /// <summary>Looks for it.</summary>
    public static IEnumerable<Finding> Find(DiagnosisWindow window)
    {
        if (window.Last.Process.GroupMemory is not { } memory
            || !window.Frames.All(frame => frame.Process.GroupMemory is { } then && then.UsedBytes >= then.LimitBytes * NearShare))
        {
            yield break;
        }

        var process = window.Last.Process;
        var present = window.Options.MemoryLimitBytes;

        // What is no row, chunk or block: heap, stacks, the Kafka client's queues, the embedded ClickHouse. It does not grow with the limit.
        var others = Math.Max(memory.UsedBytes - process.MemoryUsedBytes, 0);
        var fitting = (long)((memory.LimitBytes * ComfortableShare) - others) / StepBytes * StepBytes;
        var isTooMuch = fitting >= LimitBytesMin && fitting < present;
        yield return new Finding(
            Id,
            Severity.Warning,
            "process",
            "The container has almost no memory left, and the kernel kills the process at its limit: allow weir less of it, or the container more.")
        {
            Party = "cgroup",
            Evidence =
            [
                Text($"{Mebibytes(memory.UsedBytes)} of {Mebibytes(memory.LimitBytes)} MiB are in use, {memory.UsedBytes / (double)memory.LimitBytes:P0}, without pages of files"),
                Text($"rows, chunks and blocks hold {Mebibytes(process.MemoryUsedBytes)} MiB of the {Mebibytes(present)} that memory.limit allows, everything else {Mebibytes(others)}"),
            ],
            Option = isTooMuch ? "memory.limit" : "resources.limits.memory", // Kubernetes' name; the file is the deployment's, not weir's.
            From = isTooMuch ? Sizes.Format(present) : Text($"{Mebibytes(memory.LimitBytes)}Mi"),
            To = isTooMuch ? Sizes.Format(fitting) : Text($"{Mebibytes(Comfortable(present + others))}Mi"),
        };
    }

    private static long Comfortable(long bytes) => ((long)(bytes / ComfortableShare) + StepBytes - 1) / StepBytes * StepBytes;

    private static long Mebibytes(long bytes) => bytes >> 20;

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
