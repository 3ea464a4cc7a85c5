using System.Globalization;

namespace Weir.Loadgen.Generate;

/// <summary>A rate over time: steady, ramp, sine, bursts or a step.</summary>
/// <remarks>Immutable; a pure function of the time since the start.</remarks>
public sealed class RateShape
{
    private readonly Func<double, double> _factor;

    private RateShape(double perSecond, Func<double, double> factor)
    {
        PerSecond = perSecond;
        _factor = factor;
    }

    /// <summary>What the factors of the shape multiply.</summary>
    public double PerSecond { get; }

    /// <summary>Always the same.</summary>
    public static RateShape Steady(double perSecond) => new(Positive(perSecond), _ => 1);

    /// <summary>
    /// <c>steady</c>; <c>ramp:FROM:SECONDS</c>, from a factor to 1; <c>sine:PERIOD:AMPLITUDE</c>; <c>bursts:PERIOD:LENGTH:FACTOR</c>, in
    /// the first LENGTH seconds of each PERIOD; <c>step:AT:FACTOR</c>, from second AT on.
    /// </summary>
    /// <exception cref="ArgumentException">It can't be read; the message says what is allowed.</exception>
    public static RateShape Parse(string text, double perSecond)
    {
        var parts = text.Split(':');
        var numbers = new double[parts.Length - 1];
        for (var index = 0; index < numbers.Length; index++)
        {
            if (!double.TryParse(parts[index + 1], NumberStyles.Float, CultureInfo.InvariantCulture, out numbers[index])
                || numbers[index] < 0)
            {
                throw Unknown(text);
            }
        }

        Positive(perSecond);
        return (parts[0], numbers) switch
        {
            ("steady", []) => Steady(perSecond),
            ("ramp", [var from, > 0 and var seconds]) => new(perSecond, at => at >= seconds ? 1 : from + ((1 - from) * at / seconds)),
            ("sine", [> 0 and var period, <= 1 and var amplitude]) =>
                new(perSecond, at => 1 + (amplitude * Math.Sin(2 * Math.PI * at / period))),
            ("bursts", [> 0 and var period, var length, var factor]) => new(perSecond, at => at % period < length ? factor : 1),
            ("step", [var from, var factor]) => new(perSecond, at => at >= from ? factor : 1),
            _ => throw Unknown(text),
        };
    }

    /// <summary>The rate at a time; never less than a millionth of <see cref="PerSecond"/>, so that time goes on.</summary>
    public double At(double seconds) => PerSecond * Math.Max(_factor(seconds), 1e-6);

    /// <summary>When <paramref name="amount"/> more has passed. Steps of 10 ms, so that a slow phase does not swallow the next
    /// one.</summary>
    public double After(double seconds, double amount)
    {
        const double Step = 0.01;
        while (true)
        {
            var rate = At(seconds);
            if (amount <= rate * Step)
            {
                return seconds + (amount / rate);
            }

            amount -= rate * Step;
            seconds += Step;
        }
    }

    private static double Positive(double perSecond) =>
        perSecond is > 0 and <= 1e12 ? perSecond
            : throw new ArgumentException($"A rate of {perSecond} is not allowed: above 0, up to 1e12.");

    private static ArgumentException Unknown(string text) => new(
        $"--shape {text}: allowed are steady, ramp:FROM:SECONDS, sine:PERIOD:AMPLITUDE, bursts:PERIOD:LENGTH:FACTOR and step:AT:FACTOR");
}
