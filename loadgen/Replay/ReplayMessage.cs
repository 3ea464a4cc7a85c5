using System.Buffers.Text;
using System.Diagnostics;

namespace Weir.Loadgen.Replay;

/// <summary>A message made once and sent many times; only the digits of its times change.</summary>
/// <remarks>Owned by the thread that sends.</remarks>
internal sealed class ReplayMessage
{
    /// <summary>Digits of the seconds of a time that can be changed in place; so from 2001 to 2286.</summary>
    public const int SecondDigits = 10;

    private readonly TimeSlot[] _slots;
    private long _second;

    internal ReplayMessage(byte[] payload, TimeSlot[] slots, FlowSums sums, KeyValuePair<string, FlowSums>[] protocols, int? partition)
    {
        Payload = payload;
        _slots = slots;
        Sums = sums;
        Protocols = protocols;
        Partition = partition;
    }

    /// <summary>The bytes to send.</summary>
    public byte[] Payload { get; }

    /// <summary>What the records of the message add up to.</summary>
    public FlowSums Sums { get; }

    /// <summary>The same by protocol.</summary>
    public IReadOnlyList<KeyValuePair<string, FlowSums>> Protocols { get; }

    /// <summary>Where the message has to go, when records are spread by key.</summary>
    public int? Partition { get; }

    /// <summary>Writes the times anew for a message that is sent in the given second since 1970.</summary>
    public void MoveTo(long second)
    {
        if (second == _second)
        {
            return; // Sent before in this second: the digits are right.
        }

        _second = second;
        Span<byte> digits = stackalloc byte[SecondDigits];
        long written = -1;
        foreach (TimeSlot slot in _slots)
        {
            long value = second - slot.AgeSeconds;
            if (value != written)
            {
                bool isWritten = Utf8Formatter.TryFormat(value, digits, out int length);
                Debug.Assert(isWritten && length == SecondDigits, "A time of this century has ten digits.");
                written = value;
            }

            digits.CopyTo(Payload.AsSpan(slot.Offset));
        }
    }
}

/// <summary>Ten digits of seconds in a message.</summary>
/// <param name="Offset">Where they begin.</param>
/// <param name="AgeSeconds">Whole seconds before the latest time of the same record.</param>
internal readonly record struct TimeSlot(int Offset, long AgeSeconds);
