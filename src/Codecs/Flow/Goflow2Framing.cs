using Weir.Core.Model;

namespace Weir.Codecs.Flow;

/// <summary>How the messages of goflow2 lie in a payload.</summary>
internal enum Goflow2Form
{
    /// <summary>Neither.</summary>
    None,

    /// <summary>One message and nothing else.</summary>
    Bare,

    /// <summary>Each message behind its length as a varint.</summary>
    Delimited,
}

/// <summary>Tells the delimited form from the bare one by structure, not by a guess from the first byte.</summary>
/// <remarks>
/// <list type="number">
/// <item>The payload is <b>delimited</b> when its lengths tile it exactly and the first message inside is well-formed protobuf (all
/// tags valid, all values end where it ends). Field number 0 is no tag, so the bare <c>08 02 …</c> (type, NetFlow v5), read as a
/// length of 8, fails at its first tag, 02.</item>
/// <item>Else it is <b>bare</b> when the whole is one well-formed message.</item>
/// <item>When both hold, the one whose message has a time (110 to 112) is taken, and the delimited one where that does not tell.</item>
/// <item>When neither holds it is damaged: delimited if its lengths tile it, or if its first length does fit a well-formed message
/// (what is after the damage is rejected then); else the whole is rejected once.</item>
/// </list>
/// </remarks>
internal static unsafe class Goflow2Framing
{
    private const uint TimeFieldFirst = 110;
    private const uint TimeFieldLast = 112;

    /// <summary>Finds the form of a payload.</summary>
    /// <param name="start">First byte.</param>
    /// <param name="end">The end.</param>
    /// <param name="status">Why it is neither.</param>
    public static Goflow2Form Find(byte* start, byte* end, out DecodeStatus status)
    {
        var first = new ProtoCursor(start, end);
        var isFirstSound = false;
        var isFirstTimed = false;
        var firstStatus = first.ReadBytes(out var record);
        if (firstStatus == DecodeStatus.Ok && !record.IsEmpty)
        {
            isFirstSound = Check(first.Position - record.Length, first.Position, out isFirstTimed) == DecodeStatus.Ok;
        }

        var isTiled = !record.IsEmpty && IsTiled(first);
        status = DecodeStatus.Ok;
        if (isTiled && isFirstTimed && isFirstSound)
        {
            return Goflow2Form.Delimited;
        }

        status = Check(start, end, out var isBareTimed);
        var isBare = status == DecodeStatus.Ok;
        if (isBare && (isBareTimed || !(isTiled && isFirstSound)))
        {
            return Goflow2Form.Bare;
        }

        if (isTiled || isFirstSound)
        {
            return Goflow2Form.Delimited;
        }

        status = firstStatus != DecodeStatus.Ok ? firstStatus : isBare ? DecodeStatus.Malformed : status;
        return Goflow2Form.None;
    }

    private static bool IsTiled(ProtoCursor cursor)
    {
        while (!cursor.IsAtEnd)
        {
            if (cursor.ReadBytes(out var record) != DecodeStatus.Ok || record.IsEmpty)
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>Reads the tags and passes the values of what may be a message.</summary>
    private static DecodeStatus Check(byte* start, byte* end, out bool isTimed)
    {
        isTimed = false;
        var cursor = new ProtoCursor(start, end);
        while (!cursor.IsAtEnd)
        {
            var status = cursor.ReadTag(out var field, out var wireType);
            status = status == DecodeStatus.Ok ? cursor.Skip(field, wireType) : status;
            if (status != DecodeStatus.Ok)
            {
                return status;
            }

            isTimed |= field is >= TimeFieldFirst and <= TimeFieldLast && wireType == WireType.Varint;
        }

        return DecodeStatus.Ok;
    }
}
