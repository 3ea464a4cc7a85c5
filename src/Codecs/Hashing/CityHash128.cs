using System.Buffers.Binary;
using System.Diagnostics;
using System.Numerics;
using System.Runtime.CompilerServices;

namespace Weir.Codecs.Hashing;

/// <summary>CityHash128 as of version 1.0.2: the checksum of ClickHouse's compressed frames.</summary>
/// <remarks>
/// Later releases of CityHash give other values. Verified against frames that ClickHouse wrote
/// (<c>tests/Golden/clickhouse-frames.bin</c>). Not for routing: that is <c>TagHash</c>.
/// </remarks>
public static class CityHash128
{
    private const ulong K0 = 0xc3a5c85c97cb3127;
    private const ulong K1 = 0xb492b66fbe98f273;
    private const ulong K2 = 0x9ae16a3b2f90404f;
    private const ulong K3 = 0xc949d7c7509e6557;
    private const ulong MixMultiplier = 0x9ddfea08eb382d69;

    /// <summary>Bytes that one turn of the long loop takes, and the length below which there is none.</summary>
    private const int StrideBytes = 128;

    /// <summary>The hash of <paramref name="source"/>; the lower half comes first in a frame, both little endian.</summary>
    public static UInt128 Hash(ReadOnlySpan<byte> source)
    {
        if (source.Length >= 16)
        {
            return WithSeed(source[16..], Word(source, 0) ^ K3, Word(source, 8));
        }

        if (source.Length >= 8)
        {
            return WithSeed([], Word(source, 0) ^ ((ulong)source.Length * K0), Word(source, source.Length - 8) ^ K1);
        }

        return WithSeed(source, K0, K1);
    }

    private static UInt128 WithSeed(ReadOnlySpan<byte> source, ulong seedLow, ulong seedHigh) =>
        source.Length < StrideBytes ? Short(source, seedLow, seedHigh) : Long(source, seedLow, seedHigh);

    private static UInt128 Short(ReadOnlySpan<byte> source, ulong a, ulong b)
    {
        var length = (ulong)source.Length;
        ulong c;
        ulong d;
        if (source.Length <= 16)
        {
            a = ShiftMix(a * K1) * K1;
            c = (b * K1) + UpTo16(source);
            d = ShiftMix(a + (source.Length >= 8 ? Word(source, 0) : c));
        }
        else
        {
            c = Mix(Word(source, source.Length - 8) + K1, a);
            d = Mix(b + length, c + Word(source, source.Length - 16));
            a += d;
            for (var index = 0; index < source.Length - 16; index += 16)
            {
                a ^= ShiftMix(Word(source, index) * K1) * K1;
                a *= K1;
                b ^= a;
                c ^= ShiftMix(Word(source, index + 8) * K1) * K1;
                c *= K1;
                d ^= c;
            }
        }

        a = Mix(a, c);
        b = Mix(d, b);
        return new UInt128(Mix(b, a), a ^ b);
    }

    private static UInt128 Long(ReadOnlySpan<byte> source, ulong seedLow, ulong seedHigh)
    {
        Debug.Assert(source.Length >= StrideBytes, "The tail below reads back into whole strides.");
        var state = new State { X = seedLow, Y = seedHigh, Z = (ulong)source.Length * K1 };
        state.VLow = (BitOperations.RotateRight(state.Y ^ K1, 49) * K1) + Word(source, 0);
        state.VHigh = (BitOperations.RotateRight(state.VLow, 42) * K1) + Word(source, 8);
        state.WLow = (BitOperations.RotateRight(state.Y + state.Z, 35) * K1) + state.X;
        state.WHigh = BitOperations.RotateRight(state.X + Word(source, 88), 53) * K1;

        var rest = source;
        do
        {
            state.Absorb(rest);
            state.Absorb(rest[64..]);
            rest = rest[StrideBytes..];
        }
        while (rest.Length >= StrideBytes);

        state.Y += (BitOperations.RotateRight(state.WLow, 37) * K0) + state.Z;
        state.X += BitOperations.RotateRight(state.VLow + state.Z, 49) * K0;

        // Up to four pieces of 32 bytes from the end; the last one may reach back into what was already taken.
        for (var taken = 32; taken < rest.Length + 32; taken += 32)
        {
            var piece = source.Slice(source.Length - taken, 32);
            state.Y = (BitOperations.RotateRight(state.Y - state.X, 42) * K0) + state.VHigh;
            state.WLow += Word(piece, 16);
            state.X = (BitOperations.RotateRight(state.X, 49) * K0) + state.WLow;
            state.WLow += state.VLow;
            (state.VLow, state.VHigh) = Weak(piece, state.VLow, state.VHigh);
        }

        var x = Mix(state.X, state.VLow);
        var y = Mix(state.Y, state.WLow);
        return new UInt128(Mix(x + state.WHigh, y + state.VHigh), Mix(x + state.VHigh, state.WHigh) + y);
    }

    private static ulong UpTo16(ReadOnlySpan<byte> source)
    {
        var length = source.Length;
        if (length > 8)
        {
            var last = Word(source, length - 8);
            return Mix(Word(source, 0), BitOperations.RotateRight(last + (ulong)length, length)) ^ last;
        }

        if (length >= 4)
        {
            ulong first = BinaryPrimitives.ReadUInt32LittleEndian(source);
            return Mix((ulong)length + (first << 3), BinaryPrimitives.ReadUInt32LittleEndian(source[(length - 4)..]));
        }

        if (length > 0)
        {
            var y = source[0] + ((uint)source[length >> 1] << 8);
            var z = (uint)length + ((uint)source[length - 1] << 2);
            return ShiftMix((y * K2) ^ (z * K3)) * K2;
        }

        return K2;
    }

    /// <summary>Mixes 32 bytes into two words; weak alone, enough inside the loop.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (ulong Low, ulong High) Weak(ReadOnlySpan<byte> source, ulong a, ulong b)
    {
        var z = Word(source, 24);
        a += Word(source, 0);
        b = BitOperations.RotateRight(b + a + z, 21);
        var c = a;
        a += Word(source, 8);
        a += Word(source, 16);
        b += BitOperations.RotateRight(a, 44);
        return (a + z, b + c);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Mix(ulong low, ulong high)
    {
        var a = (low ^ high) * MixMultiplier;
        a ^= a >> 47;
        var b = (high ^ a) * MixMultiplier;
        b ^= b >> 47;
        return b * MixMultiplier;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong ShiftMix(ulong value) => value ^ (value >> 47);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Word(ReadOnlySpan<byte> source, int index) => BinaryPrimitives.ReadUInt64LittleEndian(source[index..]);

    /// <summary>The seven words that the long loop carries.</summary>
    private ref struct State
    {
        public ulong X;
        public ulong Y;
        public ulong Z;
        public ulong VLow;
        public ulong VHigh;
        public ulong WLow;
        public ulong WHigh;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void Absorb(ReadOnlySpan<byte> source)
        {
            X = BitOperations.RotateRight(X + Y + VLow + Word(source, 16), 37) * K1;
            Y = BitOperations.RotateRight(Y + VHigh + Word(source, 48), 42) * K1;
            X ^= WHigh;
            Y ^= VLow;
            Z = BitOperations.RotateRight(Z ^ WLow, 33);
            (VLow, VHigh) = Weak(source, VHigh * K1, X + WLow);
            (WLow, WHigh) = Weak(source[32..], Z + WHigh, Y);
            (Z, X) = (X, Z);
        }
    }
}
