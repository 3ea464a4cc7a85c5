using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Weir.Core.Model;

namespace Weir.Codecs.Flow;

/// <summary>The time and the meters of <c>weir-proto</c> where they are a run of known shape: a row's meters are two vectors then.</summary>
/// <remarks>Thread of the ingest worker. What is not so is left to <see cref="VarintRun"/>.</remarks>
internal sealed unsafe class ShapedMeters
{
    // The first vector of 8 lanes is meters 0 to 7; the first half of the second one is the last 4 meters of the row, and its other half
    // has room for what is no meter.
    private const int LowCount = 8;
    private const int TailCount = 4;
    private const int TimeLane = LowCount + TailCount;
    private const int SamplingLane = TimeLane + 1;

    private readonly RunShapes _shapes = new();
    private readonly ulong[] _absent = GC.AllocateArray<ulong>(2 * RunShapes.LaneCount, pinned: true); // Then nothing, for shapes with flows.
    private readonly int _metersOffset;
    private readonly int _meterCount;
    private readonly int _flowsField;
    private readonly int _samplingField;

    /// <summary>Makes a reader that knows no meter.</summary>
    /// <param name="schema">The schema; <see cref="IsSupported"/>.</param>
    /// <param name="timeField">The field of the time, s.</param>
    /// <param name="samplingField">The field of the sampling rate.</param>
    /// <param name="flowsField">The field of the flows, which are 1 when they are absent.</param>
    /// <param name="flowsOffset">Where in a row they go; −1 when no view uses them.</param>
    public ShapedMeters(StreamSchema schema, int timeField, int samplingField, int flowsField, int flowsOffset)
    {
        _metersOffset = schema.RecordMetersOffset;
        _meterCount = schema.Meters.Length;
        _flowsField = flowsField;
        _samplingField = samplingField;
        _shapes.Add(timeField, TimeLane);
        _shapes.Add(samplingField, SamplingLane);
        if (flowsOffset >= 0)
        {
            foreach (var lane in Lanes(flowsOffset).Where(lane => lane >= 0))
            {
                _absent[lane] = 1;
            }
        }
    }

    /// <summary>True where it can be used.</summary>
    public static bool IsSupported(StreamSchema schema) =>
        RunShapes.IsSupported && schema.Meters.Length is >= LowCount and <= LowCount + TailCount;

    /// <summary>Makes a field known.</summary>
    /// <param name="field">Its number.</param>
    /// <param name="offset">Where in a row its meter lies; −1 when no view uses it.</param>
    public void Add(int field, int offset)
    {
        var lanes = offset < 0 ? [RunShapes.NoLane, RunShapes.NoLane] : Lanes(offset);
        _shapes.Add(field, lanes[0], lanes[1]);
    }

    /// <summary>Reads the time and all meters into a row.</summary>
    /// <param name="start">First byte of the run.</param>
    /// <param name="end">Its end.</param>
    /// <param name="readableEnd">Memory before this address may be read.</param>
    /// <param name="row">The row.</param>
    /// <returns>False where another reader has to judge; then what was stored means nothing.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryRead(byte* start, byte* end, byte* readableEnd, byte* row)
    {
        if (end - start is <= 0 or > RunShapes.BytesMax || readableEnd - start < RunShapes.BytesMax)
        {
            return false;
        }

        if (!_shapes.TryFind(start, (int)(end - start), out var run))
        {
            return false;
        }

        var absent = (ulong*)Unsafe.AsPointer(ref MemoryMarshal.GetArrayDataReference(_absent))
            + (run.Shape->HasField(_flowsField) ? RunShapes.LaneCount : 0);
        var low = run.Low | Vector512.Load(absent);
        var high = run.High | Vector512.Load(absent + LowCount);
        var meters = (ulong*)(row + _metersOffset);
        low.Store(meters);
        high.GetLower().Store(meters + _meterCount - TailCount);
        var others = high.GetUpper();
        var time = others.GetElement(TimeLane - LowCount - TailCount);
        *(ulong*)(row + StreamSchema.HashBytes) = time;
        return time - 1 < uint.MaxValue
            && (!run.Shape->HasField(_samplingField) || others.GetElement(SamplingLane - LowCount - TailCount) <= 1);
    }

    /// <summary>Where a meter lies in the vectors: once, or twice where they overlap.</summary>
    private int[] Lanes(int offset)
    {
        var meter = (offset - _metersOffset) / sizeof(ulong);
        var tail = meter - (_meterCount - TailCount);
        return [meter < LowCount ? meter : RunShapes.NoLane, tail >= 0 ? LowCount + tail : RunShapes.NoLane];
    }
}
