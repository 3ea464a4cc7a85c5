using System.Runtime.CompilerServices;
using Weir.Core.Model;

namespace Weir.Codecs.Flow;

/// <summary>Writes into a row what can be known only at the end of a record: its time and the meters that depend on several fields.</summary>
/// <remarks>Immutable.</remarks>
internal sealed unsafe class RowFinisher(FieldTargets targets)
{
    private const uint TcpFin = 0x01;
    private const uint TcpSyn = 0x02;
    private const uint TcpRst = 0x04;
    private const ushort ProtoTcp = 6;

    private readonly int _flows = targets.Meter(StandardSchema.Flows);
    private readonly int _packets = targets.Meter(StandardSchema.Packets);
    private readonly int _bytes = targets.Meter(StandardSchema.Bytes);
    private readonly int _tcpSyn = targets.Meter(StandardSchema.TcpSyn);
    private readonly int _tcpFin = targets.Meter(StandardSchema.TcpFin);
    private readonly int _tcpRst = targets.Meter(StandardSchema.TcpRst);
    private readonly int _durationMs = targets.Meter(StandardSchema.DurationMs);

    /// <summary>Writes the time and the scaled meters.</summary>
    /// <param name="state">All fields of the record have been seen.</param>
    /// <param name="row">The row.</param>
    /// <param name="durationMs">End − start; 0 when not known.</param>
    /// <param name="isSamplingUnknown">True when the record has a sampling rate of 0.</param>
    /// <returns>Ok, or why the record is bad; then the row is half written.</returns>
    public DecodeStatus Finish(in FlowState state, byte* row, ulong durationMs, out bool isSamplingUnknown)
    {
        isSamplingUnknown = state.SamplingRate == 0;
        var status = state.FindTime(out var seconds);
        if (status != DecodeStatus.Ok)
        {
            return status;
        }

        *(ulong*)(row + StreamSchema.HashBytes) = seconds;
        var packets = state.Packets;
        var bytes = state.Bytes;
        if (state.SamplingRate is > 1 and not FlowState.SamplingAbsent
            && ((Math.BigMul(packets, state.SamplingRate, out packets) | Math.BigMul(bytes, state.SamplingRate, out bytes)) != 0))
        {
            return DecodeStatus.NumberOutOfRange;
        }

        Put(row, _flows, state.Flows);
        Put(row, _packets, packets);
        Put(row, _bytes, bytes);
        Put(row, _durationMs, durationMs);

        // Agents put anything into the flags of protocols that have none.
        if (state.TcpFlags != 0 && (state.Proto is ProtoTcp or FlowState.ProtoAbsent))
        {
            Put(row, _tcpSyn, (state.TcpFlags & TcpSyn) != 0 ? 1UL : 0);
            Put(row, _tcpFin, (state.TcpFlags & TcpFin) != 0 ? 1UL : 0);
            Put(row, _tcpRst, (state.TcpFlags & TcpRst) != 0 ? 1UL : 0);
        }

        return DecodeStatus.Ok;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Put(byte* row, int offset, ulong value)
    {
        if (offset >= 0)
        {
            *(ulong*)(row + offset) = value;
        }
    }
}
