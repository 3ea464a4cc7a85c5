namespace Weir.Core.Model;

/// <summary>Why a record was rejected. A closed set: each value is a label of the metrics and a column of the account.</summary>
public enum DecodeStatus
{
    /// <summary>Decoded.</summary>
    Ok,

    /// <summary>The message has no bytes, or no value at all (a tombstone).</summary>
    Empty,

    /// <summary>Ends in the middle of a value.</summary>
    Truncated,

    /// <summary>Not what the format's grammar allows (JSON syntax, a wrong wire type, a varint of more than 10 bytes).</summary>
    Malformed,

    /// <summary>Text that is not UTF-8.</summary>
    InvalidUtf8,

    /// <summary>A version of the format that this program does not know.</summary>
    UnknownVersion,

    /// <summary>The checksum does not match.</summary>
    ChecksumMismatch,

    /// <summary>A length, count or nesting depth above the format's limit.</summary>
    LengthOverLimit,

    /// <summary>A number that its tag or meter cannot hold, or one that is not an integer.</summary>
    NumberOutOfRange,

    /// <summary>A negative count.</summary>
    NumberNegative,

    /// <summary>A port above 65,535.</summary>
    PortOutOfRange,

    /// <summary>An address that is neither IPv4 nor IPv6.</summary>
    AddressInvalid,

    /// <summary>An IP protocol that is neither a known name nor a number up to 255.</summary>
    ProtocolUnknown,

    /// <summary>No field that tells the time of the record.</summary>
    TimeMissing,

    /// <summary>A time that cannot be read.</summary>
    TimeInvalid,

    /// <summary>A time before 1970 or after 2106-02-07, which a DateTime column cannot hold.</summary>
    TimeOutOfRange,
}

/// <summary>Names of <see cref="DecodeStatus"/> values as users see them.</summary>
public static class DecodeStatuses
{
    /// <summary>Number of values; <c>Ok</c> is one of them.</summary>
    public static readonly int Count = Enum.GetValues<DecodeStatus>().Length;

    private static readonly string[] _labels =
        [.. Enum.GetNames<DecodeStatus>().Select(System.Text.Json.JsonNamingPolicy.SnakeCaseLower.ConvertName)];

    /// <summary>The label of <paramref name="status"/> in metrics and accounts, such as <c>port_out_of_range</c>.</summary>
    public static string Label(this DecodeStatus status) => _labels[(int)status];
}
