using System.Globalization;

namespace Weir.Core.Faults;

/// <summary>
/// A clock whose time of day jumps, as when an operator or NTP sets it: <c>WEIR_FAULT=clock:-3600</c> sets it back by an hour two
/// seconds after the start. What is measured (time-outs, intervals) goes on, as it does in the kernel.
/// </summary>
/// <remarks>Any thread.</remarks>
public sealed class FaultClock : TimeProvider
{
    /// <summary>What the value of <see cref="FaultPoint.Variable"/> begins with.</summary>
    internal const string Prefix = "clock:";

    private static readonly TimeSpan _delay = TimeSpan.FromSeconds(2);

    private readonly TimeProvider _inner;
    private readonly TimeSpan _jump;
    private readonly long _from;

    internal FaultClock(TimeProvider inner, TimeSpan jump)
    {
        _inner = inner;
        _jump = jump;
        _from = inner.GetTimestamp();
    }

    /// <inheritdoc/>
    public override long TimestampFrequency => _inner.TimestampFrequency;

    /// <summary>The clock of this process: the system's, unless the variable says otherwise.</summary>
    /// <exception cref="FormatException">The variable names no number of seconds.</exception>
    public static TimeProvider OfProcess() =>
        Parse(Environment.GetEnvironmentVariable(FaultPoint.Variable)) is { } jump ? new FaultClock(System, jump) : System;

    /// <inheritdoc/>
    public override DateTimeOffset GetUtcNow() =>
        _inner.GetUtcNow() + (_inner.GetElapsedTime(_from) >= _delay ? _jump : TimeSpan.Zero);

    /// <inheritdoc/>
    public override long GetTimestamp() => _inner.GetTimestamp();

    /// <inheritdoc/>
    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
        _inner.CreateTimer(callback, state, dueTime, period);

    /// <summary>Reads <c>clock:SECONDS</c>; null for anything else.</summary>
    internal static TimeSpan? Parse(string? text)
    {
        if (text is null || !text.StartsWith(Prefix, StringComparison.Ordinal))
        {
            return null;
        }

        return int.TryParse(text.AsSpan(Prefix.Length), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var seconds)
            ? TimeSpan.FromSeconds(seconds)
            : throw new FormatException($"{FaultPoint.Variable} is {text}; allowed {Prefix}SECONDS.");
    }
}
