using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Text;

namespace Weir.Codecs.Flow;

/// <summary>The keys that a JSON decoder knows, found by their length and bytes; made once, at construction.</summary>
/// <remarks>Immutable after the last <see cref="Add"/>. Keys of up to 16 bytes are two words, compared without a loop.</remarks>
internal sealed unsafe class JsonKeyTable
{
    private const int SlotCount = 512; // Some 50 keys and what users add: misses end at the first slot.
    private const int KeysMax = SlotCount / 4;
    private const int WordBytes = sizeof(ulong);
    private const ulong MultiplierA = 0x9e3779b97f4a7c15;
    private const ulong MultiplierB = 0xd6e8feb86659fd93;
    private const int HashShift = 64 - 9;

    private readonly Slot[] _slots = new Slot[SlotCount];
    private FieldAction[] _actions = [];
    private int _keyCount;

    /// <summary>Adds an action for a key; a second one for the same key follows the first.</summary>
    /// <exception cref="ArgumentException">Too many keys.</exception>
    public void Add(string key, FieldAction action)
    {
        var bytes = Encoding.UTF8.GetBytes(key);
        _actions = [.. _actions, action];
        var added = (short)(_actions.Length - 1);
        fixed (byte* start = bytes)
        {
            Words(start, bytes.Length, start + bytes.Length, out var first, out var last);
            var slot = SlotOf(first, last, bytes.Length);
            for (; _slots[slot].Key is not null; slot = (slot + 1) % SlotCount)
            {
                if (_slots[slot].Key.AsSpan().SequenceEqual(bytes))
                {
                    Append(_slots[slot].Action, added);
                    return;
                }
            }

            if (++_keyCount > KeysMax)
            {
                throw new ArgumentException($"More than {KeysMax} keys.", nameof(key));
            }

            _slots[slot] = new Slot(first, last, bytes, added);
        }
    }

    /// <summary>The first action for a key.</summary>
    /// <param name="key">The key, without escapes.</param>
    /// <param name="length">Its bytes.</param>
    /// <param name="readableEnd">Memory before this address may be read.</param>
    /// <returns>The index for <see cref="Action"/>; −1 when the key is not known.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int Find(byte* key, int length, byte* readableEnd)
    {
        Words(key, length, readableEnd, out var first, out var last);
        for (var index = SlotOf(first, last, length); ; index = (index + 1) % SlotCount)
        {
            ref readonly var slot = ref _slots[index];
            if (slot.Key is null)
            {
                return -1;
            }

            if (slot.First == first && slot.Last == last && slot.Key.Length == length
                && (length <= 2 * WordBytes || slot.Key.AsSpan().SequenceEqual(new ReadOnlySpan<byte>(key, length))))
            {
                return slot.Action;
            }
        }
    }

    /// <summary>The action of an index that <see cref="Find"/> or <see cref="FieldAction.Next"/> gave.</summary>
    public ref readonly FieldAction Action(int index) => ref _actions[index];

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Words(byte* key, int length, byte* readableEnd, out ulong first, out ulong last)
    {
        if (length >= WordBytes)
        {
            first = BinaryPrimitives.ReadUInt64LittleEndian(new ReadOnlySpan<byte>(key, WordBytes));
            last = BinaryPrimitives.ReadUInt64LittleEndian(new ReadOnlySpan<byte>(key + length - WordBytes, WordBytes));
            return;
        }

        last = 0;
        if (readableEnd - key >= WordBytes)
        {
            first = BinaryPrimitives.ReadUInt64LittleEndian(new ReadOnlySpan<byte>(key, WordBytes)) & ((1UL << (length * 8)) - 1);
            return;
        }

        first = 0;
        for (var index = 0; index < length; index++)
        {
            first |= (ulong)key[index] << (index * 8);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int SlotOf(ulong first, ulong last, int length) =>
        (int)((((first ^ (ulong)length) * MultiplierA) ^ (BitOperations.RotateLeft(last, 32) * MultiplierB)) >> HashShift);

    private void Append(int index, short added)
    {
        while (_actions[index].Next >= 0)
        {
            index = _actions[index].Next;
        }

        _actions[index] = _actions[index] with { Next = added };
    }

    private readonly record struct Slot(ulong First, ulong Last, byte[]? Key, short Action);
}
