using Weir.Core.Model;

namespace Weir.Codecs.Flow;

/// <summary>What a decoder keeps of a record until its end, because one field's meaning depends on another's.</summary>
/// <remarks>On the stack of the decoder. <see cref="Reset"/> makes it ready for a record.</remarks>
internal unsafe struct FlowState
{
    /// <summary>Slots of <see cref="Times"/>.</summary>
    public const int TimeSlots = 5;

    /// <summary>In a time slot: text or a number that is no time.</summary>
    public const ulong TimeInvalid = ulong.MaxValue;

    /// <summary>In a time slot: before 1970 or after 2106-02-07.</summary>
    public const ulong TimeOutOfRange = ulong.MaxValue - 1;

    /// <summary>Times in µs since the epoch, the preferred one first, by a meaning that each format gives to the slots; 0 is absent.</summary>
    public fixed ulong Times[TimeSlots];

    /// <summary>Packets, not scaled.</summary>
    public ulong Packets;

    /// <summary>Bytes, not scaled.</summary>
    public ulong Bytes;

    /// <summary>0 is unknown; <see cref="SamplingAbsent"/> is no such field.</summary>
    public ulong SamplingRate;

    /// <summary>Flows; 1 when there was no count.</summary>
    public ulong Flows;

    /// <summary>As the agent gave it.</summary>
    public ulong DurationMs;

    /// <summary>TCP flags.</summary>
    public uint TcpFlags;

    /// <summary>The IP protocol; <see cref="ProtoAbsent"/> when there was no such field.</summary>
    public ushort Proto;

    /// <summary>True when a field was met that only a flow record has.</summary>
    public bool HasFlowField;

    /// <summary>True when an agent's marker was recognised.</summary>
    public bool IsMarker;

    /// <summary>True when the record says that it is an event of a kind that this program does not know.</summary>
    public bool IsUnknownEvent;

    /// <summary>Value of <see cref="Proto"/> for no such field.</summary>
    public const ushort ProtoAbsent = 256;

    /// <summary>Value of <see cref="SamplingRate"/> for no such field.</summary>
    public const ulong SamplingAbsent = ulong.MaxValue;

    /// <summary>Latest time that a DateTime column holds, s.</summary>
    private const ulong TimeSecondsMax = uint.MaxValue;

    private const ulong MicrosPerSecond = 1_000_000;
    private const ulong NanosPerMicro = 1_000;

    /// <summary>Makes it ready for the next record.</summary>
    public void Reset()
    {
        this = default;
        SamplingRate = SamplingAbsent;
        Flows = 1;
        Proto = ProtoAbsent;
    }

    /// <summary>The content of a time slot for a number of seconds and µs.</summary>
    public static ulong TimeOf(ulong seconds, ulong micros) =>
        seconds > TimeSecondsMax ? TimeOutOfRange : (seconds * MicrosPerSecond) + micros;

    /// <summary>The content of a time slot for a number of ns; below 1 µs it counts as absent.</summary>
    public static ulong TimeOfNanos(ulong nanos)
    {
        var micros = nanos / NanosPerMicro;
        return micros / MicrosPerSecond > TimeSecondsMax ? TimeOutOfRange : micros;
    }

    /// <summary>The first time that is there, in seconds.</summary>
    public readonly DecodeStatus FindTime(out ulong seconds)
    {
        seconds = 0;
        for (var slot = 0; slot < 3; slot++)
        {
            var time = Times[slot];
            if (time == 0)
            {
                continue;
            }

            if (time >= TimeOutOfRange)
            {
                return time == TimeInvalid ? DecodeStatus.TimeInvalid : DecodeStatus.TimeOutOfRange;
            }

            seconds = time / MicrosPerSecond;
            return DecodeStatus.Ok;
        }

        return DecodeStatus.TimeMissing;
    }

    /// <summary>End − start, ms; 0 when one of them is not known or they are out of order.</summary>
    public static ulong DurationOf(ulong start, ulong end) =>
        start == 0 || start >= TimeOutOfRange || end >= TimeOutOfRange || end < start ? 0 : (end - start) / 1_000;
}
