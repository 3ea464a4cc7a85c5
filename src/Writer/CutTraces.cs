using Weir.Core.Telemetry;

namespace Weir.Writer;

/// <summary>The cuts that took longest lately, for people who look for the step that did.</summary>
/// <remarks>The inserter's thread adds; any thread reads.</remarks>
internal sealed class CutTraces
{
    /// <summary>Cuts that are kept.</summary>
    public const int SlowCutCount = 16;

    /// <summary>How long one is kept.</summary>
    private static readonly TimeSpan _keptFor = TimeSpan.FromHours(1);

    private readonly Lock _lock = new();
    private readonly List<CutTrace> _slow = [];

    /// <summary>Gives a stored cut to whoever traces, and keeps it when it is among the slowest.</summary>
    public void Add(CutTrace trace)
    {
        trace.Emit();
        lock (_lock)
        {
            _slow.RemoveAll(old => trace.StoredAt - old.StoredAt > _keptFor);
            if (_slow.Count < SlowCutCount)
            {
                _slow.Add(trace);
                return;
            }

            var fastest = _slow.MinBy(old => old.Duration)!;
            if (trace.Duration > fastest.Duration)
            {
                _slow.Remove(fastest);
                _slow.Add(trace);
            }
        }
    }

    /// <summary>The slowest cuts of the last hour, the slowest first.</summary>
    public IReadOnlyList<CutTrace> Slowest()
    {
        lock (_lock)
        {
            return [.. _slow.OrderByDescending(trace => trace.Duration)];
        }
    }
}
