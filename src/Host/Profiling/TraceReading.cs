using Microsoft.Diagnostics.Tracing;
using Microsoft.Diagnostics.Tracing.Etlx;
using Microsoft.Diagnostics.Tracing.EventPipe;

namespace Weir.Host.Profiling;

/// <summary>Reads a .nettrace file into call stacks.</summary>
internal static class TraceReading
{
    /// <summary>Milliseconds that a sample of the runtime stands for.</summary>
    private const double SampleMilliseconds = 1;

    /// <summary>Reads a file; beside it, an index is made and deleted.</summary>
    /// <exception cref="FormatException">It is no such file, or it broke off.</exception>
    public static StackTree Read(string file, ProfileKind kind)
    {
        string? index = null;
        try
        {
            index = TraceLog.CreateFromEventPipeDataFile(file);
            using var log = new TraceLog(index);
            using var source = log.Events.GetSource();
            var root = new StackTree(kind switch { ProfileKind.Cpu => "cpu, ms", ProfileKind.Alloc => "allocated, bytes", _ => "waited for locks, ms" });
            Subscribe(source, kind, root);
            source.Process();
            return root;
        }
        catch (Exception error) when (error is IOException or InvalidDataException or EndOfStreamException or FastSerialization.SerializationException)
        {
            throw new FormatException($"the recording cannot be read ({error.Message})", error);
        }
        finally
        {
            if (index is not null)
            {
                File.Delete(index);
            }
        }
    }

    private static void Subscribe(TraceLogEventSource source, ProfileKind kind, StackTree root)
    {
        switch (kind)
        {
            case ProfileKind.Cpu:
                new SampleProfilerTraceEventParser(source).ThreadSample += sample =>
                {
                    // Other samples are of threads in native code, which may wait.
                    if (sample.Type == ClrThreadSampleType.Managed)
                    {
                        Add(root, sample, SampleMilliseconds, leaf: null);
                    }
                };
                break;
            case ProfileKind.Alloc:
                source.Clr.GCAllocationTick += tick => Add(root, tick, tick.AllocationAmount64, tick.TypeName);
                break;
            default:
                source.Clr.ContentionStop += stop => Add(root, stop, stop.DurationNs / 1e6, leaf: null);
                break;
        }
    }

    private static void Add(StackTree root, TraceEvent sample, double weight, string? leaf)
    {
        var frames = new List<string>();
        if (leaf is not null)
        {
            frames.Add($"[{leaf}]");
        }

        for (var stack = sample.CallStack(); stack is not null; stack = stack.Caller)
        {
            frames.Add(NameOf(stack.CodeAddress));
        }

        frames.Reverse();
        root.Add(frames, weight);
    }

    private static string NameOf(TraceCodeAddress address) =>
        address.FullMethodName is { Length: > 0 } name ? name : address.ModuleName is { Length: > 0 } module ? $"{module}!?" : "?";
}
