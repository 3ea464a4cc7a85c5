using System.Globalization;

namespace Weir.Host.Diagnosis;

/// <summary>Causes at the brokers and in the consumer group.</summary>
internal static class BrokerRules
{
    private const int RebalancesMin = 5;
    private const int FramesMin = 2;
    private static readonly TimeSpan _slowMin = TimeSpan.FromMilliseconds(500);

    /// <summary>Looks for them.</summary>
    public static IEnumerable<Finding> Find(DiagnosisWindow window)
    {
        var broker = Resolve(window) ?? Unreachable(window) ?? Slow(window);
        if (broker is not null)
        {
            yield return broker;
        }

        if (broker is null && Unstable(window) is { } unstable)
        {
            yield return unstable;
        }
    }

    private static Finding? Resolve(DiagnosisWindow window)
    {
        var failed = window.Delta(frame => frame.Host.Ingest.ClientErrors.GetValueOrDefault("Local_Resolve"));
        var isUp = window.Last.Host.Ingest.Client?.Brokers.Any(broker => broker.IsUp) ?? false;
        return isUp || !(failed > 0 || (AreAllDown(window) && HasSaid(window, "resolve"))) ? null : new Finding(
            "dns", Severity.Warning, "broker", "The name of a broker has no address: mend the name service, or the name.")
        {
            Party = window.Options.Ingest.Bootstrap,
            Evidence = [window.Last.Host.Ingest.LastClientError ?? "the client's error has no text"],
            Option = "kafka.bootstrap",
            From = window.Options.Ingest.Bootstrap,
            To = "a name that resolves, or an address",
        };
    }

    private static Finding? Unreachable(DiagnosisWindow window) => !AreAllDown(window) ? null : new Finding(
        "broker-unreachable", Severity.Warning, "broker", "No broker takes a connection: start them, or correct their addresses.")
    {
        Party = window.Options.Ingest.Bootstrap,
        Evidence =
        [
            $"none of {window.Last.Host.Ingest.Client!.Brokers.Count} brokers is connected",
            window.Last.Host.Ingest.LastClientError ?? "no connection was refused; they take too long",
        ],
        Option = "kafka.bootstrap",
        From = window.Options.Ingest.Bootstrap,
        To = "addresses of brokers that run",
    };

    private static Finding? Slow(DiagnosisWindow window)
    {
        var waits = TimeSpan.FromMilliseconds(PropertyOf(window, "fetch.wait.max.ms", 100));
        var slow = window.Frames.TakeLast(FramesMin)
            .Select(frame => frame.Host.Ingest.Client?.Brokers.Select(broker => broker.RoundTrip).DefaultIfEmpty().Max() ?? TimeSpan.Zero)
            .Min() - waits;
        if (slow < _slowMin)
        {
            return null;
        }

        var slowest = window.Last.Host.Ingest.Client!.Brokers.MaxBy(broker => broker.RoundTrip);
        const string Property = "max.partition.fetch.bytes";
        var present = PropertyOf(window, Property, 1 << 20);
        return new Finding("broker-slow", Severity.Warning, "broker", "A broker answers late: look at its load and the network; fewer, larger answers help.")
        {
            Party = slowest.Name,
            Evidence =
            [
                string.Create(CultureInfo.InvariantCulture, $"its answers take {slowest.RoundTrip.TotalMilliseconds:N0} ms on average, of which it may wait {waits.TotalMilliseconds:N0} for data"),
                string.Create(CultureInfo.InvariantCulture, $"{window.MessageRate:N0} messages a second are read, ingest is busy {window.Busy("ingest 0"):P0}"),
            ],
            Option = $"kafka.options.{Property}",
            From = present.ToString(CultureInfo.InvariantCulture),
            To = (present * 8).ToString(CultureInfo.InvariantCulture),
        };
    }

    private static Finding? Unstable(DiagnosisWindow window)
    {
        var count = window.Last.Host.Ingest.RebalanceCount - window.History[0].Host.Ingest.RebalanceCount;
        var isOngoing = window.Delta(frame => frame.Host.Ingest.RebalanceCount) > 0;
        if (count < RebalancesMin || !isOngoing)
        {
            return null;
        }

        const string Property = "session.timeout.ms";
        var present = PropertyOf(window, Property, 45_000);
        var seconds = (window.Last.Elapsed - window.History[0].Elapsed).TotalSeconds;
        return new Finding("group-unstable", Severity.Warning, "ingest", "The consumer group is formed anew again and again: look for members that come and go.")
        {
            Party = $"group {window.Options.Ingest.Group}",
            Evidence =
            [
                string.Create(CultureInfo.InvariantCulture, $"{count} assignments and revocations within {seconds:0} s"),
                $"the member is {window.Last.Host.Ingest.Client?.JoinState ?? "unknown"}, {window.Last.Host.Ingest.Partitions.Count} partitions are assigned",
            ],
            Rate = count / seconds,
            Option = $"kafka.options.{Property}",
            From = present.ToString(CultureInfo.InvariantCulture),
            To = (present * 2).ToString(CultureInfo.InvariantCulture),
        };
    }

    private static bool AreAllDown(DiagnosisWindow window) => window.Frames.TakeLast(FramesMin)
        .All(frame => frame.Host.Ingest.Client is { Brokers.Count: > 0 } client && client.Brokers.All(broker => !broker.IsUp));

    private static bool HasSaid(DiagnosisWindow window, string word) =>
        window.Last.Host.Ingest.LastClientError?.Contains(word, StringComparison.OrdinalIgnoreCase) ?? false;

    private static long PropertyOf(DiagnosisWindow window, string name, long otherwise) =>
        window.Options.Ingest.KafkaProperties.TryGetValue(name, out var text)
        && long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var value)
            ? value
            : otherwise;
}
