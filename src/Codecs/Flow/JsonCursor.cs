using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Weir.Core.Model;

namespace Weir.Codecs.Flow;

/// <summary>What a JSON value is.</summary>
internal enum JsonKind : byte
{
    /// <summary>A string; its bytes are what is between the quotes.</summary>
    Text,

    /// <summary>A number.</summary>
    Number,

    /// <summary>true.</summary>
    True,

    /// <summary>false.</summary>
    False,

    /// <summary>null.</summary>
    Null,

    /// <summary>NaN or an infinity: no JSON, but programs write it.</summary>
    NotFinite,

    /// <summary>An object or array, skipped.</summary>
    Container,
}

/// <summary>One value of a JSON object.</summary>
internal unsafe struct JsonToken
{
    /// <summary>What it is.</summary>
    public JsonKind Kind;

    /// <summary>True for a text with a backslash in it.</summary>
    public bool IsEscaped;

    /// <summary>True when <see cref="Value"/> is the number: digits only, at most 19.</summary>
    public bool IsPlain;

    /// <summary>Bytes.</summary>
    public int Length;

    /// <summary>First byte.</summary>
    public byte* Start;

    /// <summary>The number when <see cref="IsPlain"/>.</summary>
    public ulong Value;

    /// <summary>The bytes as they came.</summary>
    public readonly ReadOnlySpan<byte> Span => new(Start, Length);
}

/// <summary>What stood before a value: the comma after the field before, key, colon and blanks; at most 32 bytes.</summary>
/// <param name="Bytes">The bytes; what is behind them does not matter.</param>
/// <param name="Mask">One bit for each byte that has to be the same; 0 when nothing has been learnt.</param>
/// <param name="Length">Their number.</param>
/// <param name="Action">What the key's field does; −1 for an unknown one.</param>
internal readonly record struct JsonKeyPattern(Vector256<byte> Bytes, uint Mask, int Length, int Action)
{
    /// <summary>Learns the bytes between two addresses.</summary>
    public static unsafe JsonKeyPattern Of(byte* start, byte* end, int action)
    {
        var length = (int)(end - start);
        var text = new ReadOnlySpan<byte>(start, length);
        if (length > Vector256<byte>.Count || text.ContainsAny((byte)'\n', (byte)'\\'))
        {
            return default;
        }

        Span<byte> bytes = stackalloc byte[Vector256<byte>.Count];
        bytes.Clear();
        text.CopyTo(bytes);
        return new JsonKeyPattern(Vector256.Create<byte>(bytes), length == 32 ? uint.MaxValue : (1u << length) - 1, length, action);
    }
}

/// <summary>Reads one line of JSON, strictly but for NaN and the infinities, in one pass and without recursion.</summary>
/// <remarks>Reads only memory before <paramref name="readableEnd"/>; a line's end inside the payload is a line feed, which no string may hold.</remarks>
/// <param name="start">First byte of the line.</param>
/// <param name="end">End of the line.</param>
/// <param name="readableEnd">End of the payload.</param>
internal unsafe ref struct JsonCursor(byte* start, byte* end, byte* readableEnd)
{
    /// <summary>Depth of nesting, that of the record itself not counted; one bit of a word for each level.</summary>
    public const int DepthMax = 64;

    private const int PlainDigitsMax = 19;
    private const byte LastControl = 0x1f;

    private readonly byte* _end = end;
    private byte* _position = start;

    /// <summary>Memory before this address may be read: the end of the payload.</summary>
    public readonly byte* ReadableEnd { get; } = readableEnd;

    /// <summary>The next byte.</summary>
    public readonly byte* Position => _position;

    /// <summary>Goes on to an address in this line that somebody else has read up to.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Advance(byte* position) => _position = position;

    /// <summary>
    /// Passes what stands before the value if it is, byte for byte, what stood there in an earlier record: comma, key, colon and
    /// blanks in one comparison instead of one for each.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryTake(in JsonKeyPattern pattern)
    {
        if (ReadableEnd - _position < Vector256<byte>.Count)
        {
            return false;
        }

        // A line feed is no part of a pattern, so a match ends inside the line.
        var same = Vector256.Equals(Vector256.Load(_position), pattern.Bytes).ExtractMostSignificantBits();
        if ((same & pattern.Mask) != pattern.Mask || pattern.Mask == 0)
        {
            return false;
        }

        _position += pattern.Length;
        return true;
    }

    /// <summary>True when nothing but blanks is left; the blanks are passed.</summary>
    public bool IsAtEnd
    {
        get
        {
            SkipBlanks();
            return _position == _end;
        }
    }

    /// <summary>Passes blanks.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void SkipBlanks()
    {
        while (_position < _end && *_position is (byte)' ' or (byte)'\t' or (byte)'\r' or (byte)'\n')
        {
            _position++;
        }
    }

    /// <summary>Passes blanks, then <paramref name="letter"/> if it comes next.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryTake(byte letter)
    {
        SkipBlanks();
        if (_position < _end && *_position == letter)
        {
            _position++;
            return true;
        }

        return false;
    }

    /// <summary>Why the letter that was expected did not come.</summary>
    public readonly DecodeStatus Missing => _position >= _end ? DecodeStatus.Truncated : DecodeStatus.Malformed;

    /// <summary>Reads a string, whose opening quote comes next, blanks apart.</summary>
    public DecodeStatus ReadText(out JsonToken token)
    {
        token = default;
        if (!TryTake((byte)'"'))
        {
            return Missing;
        }

        token.Start = _position;
        while (true)
        {
            ToNextSpecial();
            if (_position >= _end)
            {
                return DecodeStatus.Truncated;
            }

            if (*_position == '"')
            {
                token.Length = (int)(_position - token.Start);
                _position++;
                return DecodeStatus.Ok;
            }

            if (*_position != '\\')
            {
                return DecodeStatus.Malformed; // A control character.
            }

            token.IsEscaped = true;
            if (_position + 1 >= _end)
            {
                return DecodeStatus.Truncated;
            }

            if (!"\"\\/bfnrtu"u8.Contains(_position[1]))
            {
                return DecodeStatus.Malformed;
            }

            _position += 2;
        }
    }

    /// <summary>Reads any value.</summary>
    public DecodeStatus ReadValue(out JsonToken token)
    {
        SkipBlanks();
        if (_position < _end)
        {
            switch (*_position)
            {
                case (byte)'"':
                    return ReadText(out token);
                case (byte)'{' or (byte)'[':
                    token = new JsonToken { Kind = JsonKind.Container, Start = _position };
                    return SkipContainer();
                case >= (byte)'0' and <= (byte)'9':
                    return ReadDigits(out token);
                default:
                    return ReadWordOrNumber(out token);
            }
        }

        token = default;
        return DecodeStatus.Truncated;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void ToNextSpecial()
    {
        while (ReadableEnd - _position >= Vector128<byte>.Count)
        {
            var letters = Vector128.Load(_position);
            var special = Vector128.Equals(letters, Vector128.Create((byte)'"'))
                | Vector128.Equals(letters, Vector128.Create((byte)'\\'))
                | Vector128.Equals(Vector128.Min(letters, Vector128.Create(LastControl)), letters);
            var mask = special.ExtractMostSignificantBits();
            if (mask != 0)
            {
                _position += BitOperations.TrailingZeroCount(mask);
                return;
            }

            _position += Vector128<byte>.Count;
        }

        while (_position < _end && *_position is not ((byte)'"' or (byte)'\\' or <= LastControl))
        {
            _position++;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private DecodeStatus ReadDigits(out JsonToken token)
    {
        token = new JsonToken { Kind = JsonKind.Number, Start = _position, IsPlain = true };
        ulong value = 0;
        var position = _position;
        for (; position < _end && (uint)(*position - '0') is <= 9 and var digit; position++)
        {
            value = (value * 10) + digit;
        }

        var length = (int)(position - token.Start);
        if (length > PlainDigitsMax || (length > 1 && *token.Start == '0')
            || (position < _end && (*position == '.' || (*position | 0x20) == 'e')))
        {
            return ReadWordOrNumber(out token);
        }

        _position = position;
        token.Length = length;
        token.Value = value;
        return DecodeStatus.Ok;
    }

    private DecodeStatus ReadWordOrNumber(out JsonToken token)
    {
        token = new JsonToken { Kind = JsonKind.Number, Start = _position };
        while (_position < _end && (char.IsAsciiLetterOrDigit((char)*_position) || *_position is (byte)'+' or (byte)'-' or (byte)'.'))
        {
            _position++;
        }

        token.Length = (int)(_position - token.Start);
        var word = token.Span;
        if (word.SequenceEqual("true"u8))
        {
            token.Kind = JsonKind.True;
        }
        else if (word.SequenceEqual("false"u8))
        {
            token.Kind = JsonKind.False;
        }
        else if (word.SequenceEqual("null"u8))
        {
            token.Kind = JsonKind.Null;
        }
        else if (word.SequenceEqual("NaN"u8) || word.SequenceEqual("Infinity"u8) || word.SequenceEqual("-Infinity"u8))
        {
            token.Kind = JsonKind.NotFinite;
        }
        else if (!IsNumber(word))
        {
            return Missing; // At the end of the line it may be the beginning of a word.
        }

        return DecodeStatus.Ok;
    }

    /// <summary>JSON's grammar of numbers: no leading zeros, digits on both sides of the point.</summary>
    private static bool IsNumber(ReadOnlySpan<byte> text)
    {
        var position = !text.IsEmpty && text[0] == '-' ? 1 : 0;
        var integer = Digits(text, position);
        if (integer == 0 || (integer > 1 && text[position] == '0'))
        {
            return false;
        }

        position += integer;
        if (position < text.Length && text[position] == '.')
        {
            var fraction = Digits(text, position + 1);
            if (fraction == 0)
            {
                return false;
            }

            position += 1 + fraction;
        }

        if (position < text.Length && (text[position] | 0x20) == 'e')
        {
            position++;
            position += position < text.Length && text[position] is (byte)'+' or (byte)'-' ? 1 : 0;
            var exponent = Digits(text, position);
            if (exponent == 0)
            {
                return false;
            }

            position += exponent;
        }

        return position == text.Length;
    }

    private static int Digits(ReadOnlySpan<byte> text, int from)
    {
        var rest = text[Math.Min(from, text.Length)..];
        var count = rest.IndexOfAnyExceptInRange((byte)'0', (byte)'9');
        return count < 0 ? rest.Length : count;
    }

    /// <summary>Passes an object or array that opens here. What is inside is checked and not kept.</summary>
    private DecodeStatus SkipContainer()
    {
        ulong objects = 0; // Bit 0 tells of the innermost level whether it is an object.
        var depth = 0;
        do
        {
            DecodeStatus status;
            SkipBlanks();
            if (_position < _end && *_position is (byte)'{' or (byte)'[')
            {
                if (++depth > DepthMax)
                {
                    return DecodeStatus.LengthOverLimit;
                }

                objects = (objects << 1) | (*_position++ == '{' ? 1UL : 0);
                if (!TryClose(objects))
                {
                    status = ReadKey(objects);
                    if (status != DecodeStatus.Ok)
                    {
                        return status;
                    }

                    continue;
                }

                objects >>= 1;
                depth--;
            }
            else if ((status = ReadValue(out _)) != DecodeStatus.Ok)
            {
                return status;
            }

            while (depth > 0 && !TryTake((byte)','))
            {
                if (!TryClose(objects))
                {
                    return Missing;
                }

                objects >>= 1;
                depth--;
            }

            if (depth > 0 && (status = ReadKey(objects)) != DecodeStatus.Ok)
            {
                return status;
            }
        }
        while (depth > 0);

        return DecodeStatus.Ok;
    }

    private bool TryClose(ulong objects) => TryTake((objects & 1) != 0 ? (byte)'}' : (byte)']');

    /// <summary>Inside an object, passes a key and its colon.</summary>
    private DecodeStatus ReadKey(ulong objects)
    {
        if ((objects & 1) == 0)
        {
            return DecodeStatus.Ok;
        }

        var status = ReadText(out _);
        return status != DecodeStatus.Ok ? status : TryTake((byte)':') ? DecodeStatus.Ok : Missing;
    }
}
