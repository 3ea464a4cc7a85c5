using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Weir.Core.Model;
using Weir.Host.Options;
using Weir.Ingest;

namespace Weir.Host.Diagnosis;

/// <summary>Causes in the records themselves: those that do not decode, clocks that are wrong, tags that explode, offsets that are gone.</summary>
internal static partial class RecordRules
{
    /// <summary>Part of the losses by which one agent or one partition is the cause.</summary>
    private const double MajorityMin = 0.6;

    /// <summary>Part of the records by which a whole topic, and not some agents, does not decode.</summary>
    private const double WholeTopicMin = 0.9;

    /// <summary>Looks for them.</summary>
    public static IEnumerable<Finding> Find(DiagnosisWindow window)
    {
        var samples = window.Last.Host.Ingest.Losses.Where(sample => sample.Number >= window.First.Host.Ingest.LossCount).ToList();
        if (Late(window, [.. samples.Where(sample => sample.Status == DecodeStatus.Ok)]) is { } late)
        {
            yield return late;
        }

        if (Rejected(window, [.. samples.Where(sample => sample.Status != DecodeStatus.Ok)]) is { } rejected)
        {
            yield return rejected;
        }

        foreach (var exploded in Exploded(window))
        {
            yield return exploded;
        }

        if (window.Delta(frame => frame.Host.Ingest.GapOffsetCount) is > 0 and var gap)
        {
            yield return new Finding(
                "offsets-deleted", Severity.Loss, "broker", "The broker deleted messages before they were read: add processes, or keep the topic longer.")
            {
                Party = PartitionBehind(window),
                Evidence = [Text($"{gap} offsets did not come"), Text($"{DiagnosisWindow.LagOf(window.Last):N0} messages wait")],
                Rate = gap / window.Seconds,
                Option = "ingest.workers",
                From = DiagnosisRules.ValueOf(window.Options, "ingest.workers"),
                To = Text($"{window.Options.Ingest.Workers + 1}"),
            };
        }
    }

    private static Finding? Late(DiagnosisWindow window, List<LossSample> samples)
    {
        var late = window.Delta(frame => frame.Host.Ingest.LateCount);
        if (late == 0 || samples.Count == 0)
        {
            return null;
        }

        var (party, isOne) = PartyOf(samples, sample => sample.Agent);
        var ahead = TimeSpan.FromSeconds(samples.Select(sample => sample.AheadSeconds).Order().ElementAt(samples.Count / 2));
        var option = ahead > TimeSpan.Zero ? "time.future_max" : "time.past_max";
        return new Finding(
            isOne || ahead > TimeSpan.Zero ? "agent-clock-skew" : "late-records",
            Severity.Loss,
            "ingest",
            ahead > TimeSpan.Zero
                ? "Records come from the future: set the agent's clock, or allow its error."
                : "Records are older than allowed: look at the agent's clock and its delay, or allow it.")
        {
            Party = party,
            Evidence =
            [
                Text($"{late} records late; the median one is {ahead.Duration():d\\.hh\\:mm\\:ss} {(ahead > TimeSpan.Zero ? "ahead of" : "behind")} the broker's time"),
            ],
            Rate = late / window.Seconds,
            Option = option,
            From = DiagnosisRules.ValueOf(window.Options, option),
            To = Durations.Format(TimeSpan.FromMinutes(Math.Ceiling(ahead.Duration().TotalMinutes * 1.2))),
        };
    }

    private static Finding? Rejected(DiagnosisWindow window, List<LossSample> samples)
    {
        var rejected = window.Delta(frame => frame.Host.Ingest.RejectedCount);
        if (rejected == 0 || samples.Count == 0)
        {
            return null;
        }

        var status = samples.GroupBy(sample => sample.Status).MaxBy(group => group.Count())!.Key;
        var newest = window.Last.Host.Ingest.Rejects.FirstOrDefault(reject => reject.Status == status);
        var (party, _) = PartyOf(samples, sample => sample.Agent);
        if (!party.StartsWith("agent", StringComparison.Ordinal) && newest is not null && AgentIn(newest.Evidence.Span) is { } agent)
        {
            party = $"agent {agent}";
        }

        var topic = samples.GroupBy(sample => sample.Partition.Topic).MaxBy(group => group.Count())!.Key;
        var format = window.Options.Ingest.Topics.First(known => known.Name == topic).Format;
        var other = newest is null ? null : FormatOf(newest.Evidence.Span);
        var isWhole = rejected >= window.Delta(frame => frame.Host.Ingest.ReadCount) * WholeTopicMin;
        var isFormat = isWhole && other is not null && other != format;
        var keepsLetters = window.Options.Ingest.DeadLetters is { Topic: null, Directory: null };
        return new Finding(
            status == DecodeStatus.UnknownVersion ? "format-version" : isFormat ? "wrong-format" : "decode-failures",
            Severity.Loss,
            "ingest",
            status == DecodeStatus.UnknownVersion ? "An agent sends a version of the format that this weir does not know: upgrade weir first."
            : isFormat ? $"The messages of {topic} look like {other}, not {format}."
            : "Records do not decode: look at the agent that sends them.")
        {
            Party = party,
            Evidence =
            [
                Text($"{rejected} records rejected as {status.Label()}, {rejected / (double)Math.Max(window.Delta(frame => frame.Host.Ingest.ReadCount), 1):P0} of those read"),
                newest is null ? "no sample is kept" : Text($"{newest.Topic}/{newest.Partition} at offset {newest.Offset}: {Excerpt(newest.Evidence.Span)}"),
            ],
            Rate = rejected / window.Seconds,
            Option = isFormat ? "kafka.topics[].format" : keepsLetters ? "dead_letters.directory" : null,
            From = isFormat ? format : keepsLetters ? "not set" : null,
            To = isFormat ? other : keepsLetters ? "a directory that keeps them" : null,
        };
    }

    private static IEnumerable<Finding> Exploded(DiagnosisWindow window)
    {
        var views = window.Last.Host.Aggregation.SelectMany(worker => worker.Views).GroupBy(view => view.View);
        foreach (var view in views)
        {
            var overflow = window.Delta(frame => Overflow(frame, view.Key));
            if (overflow == 0)
            {
                continue;
            }

            var definition = window.Options.EffectiveViews.First(known => known.Name == view.Key);
            var tags = definition.Tags.Select(tag => tag.Name).ToHashSet(StringComparer.Ordinal);
            var tag = window.Last.Cardinalities.Where(known => tags.Contains(known.Tag)).MaxBy(known => known.Count);
            yield return new Finding(
                "cardinality-explosion",
                Severity.Warning,
                "aggregation",
                $"View {view.Key} has more series than it may: totals are exact, but tags are gone. Drop the tag from the view, or allow more.")
            {
                Party = $"tag {tag.Tag}",
                Evidence =
                [
                    Text($"{overflow} records went to overflow series of {view.Key}"),
                    Text($"distinct values of the last minutes: {string.Join(", ", window.Last.Cardinalities.OrderByDescending(known => known.Count).Select(known => $"{known.Tag} {known.Count}"))}"),
                ],
                Rate = overflow / window.Seconds,
                Option = "views[].series_max",
                From = Text($"{definition.SeriesMax}"),
                To = Text($"{Math.Min(definition.SeriesMax * 4L, 50_000_000)}"),
            };
            yield break; // The coarser views overflow for the same reason.
        }
    }

    private static long Overflow(DiagnosisFrame frame, string view) => frame.Host.Aggregation
        .SelectMany(worker => worker.Views).Where(known => known.View == view).Sum(known => known.OverflowRecordCount);

    /// <summary>The agent that most samples are of; else the partition; else the topic.</summary>
    private static (string Party, bool IsAgent) PartyOf(List<LossSample> samples, Func<LossSample, string> agentOf)
    {
        var agent = samples.GroupBy(agentOf).MaxBy(group => group.Count())!;
        if (agent.Key.Length > 0 && agent.Count() >= samples.Count * MajorityMin)
        {
            return ($"agent {agent.Key}", true);
        }

        var partition = samples.GroupBy(sample => sample.Partition).MaxBy(group => group.Count())!;
        return partition.Count() >= samples.Count * MajorityMin
            ? ($"partition {partition.Key}", false)
            : ($"topic {partition.Key.Topic}", false);
    }

    private static string? PartitionBehind(DiagnosisWindow window)
    {
        var partitions = window.Last.Host.Ingest.Partitions;
        return partitions.Count == 0 ? null : $"partition {partitions.MaxBy(partition => partition.Lag).Key}";
    }

    /// <summary>The agent's name in a text that could not be decoded.</summary>
    private static string? AgentIn(ReadOnlySpan<byte> evidence)
    {
        var match = AgentKey().Match(Encoding.Latin1.GetString(evidence));
        return match.Success ? match.Groups[1].Value : null;
    }

    /// <summary>The format that a message looks like; null when it cannot be told.</summary>
    private static string? FormatOf(ReadOnlySpan<byte> evidence)
    {
        var text = Encoding.Latin1.GetString(evidence);
        return text.Contains("\"ip_src\"", StringComparison.Ordinal) || text.Contains("\"peer_ip_src\"", StringComparison.Ordinal) ? "pmacct-json"
            : text.Contains("\"sampler_address\"", StringComparison.Ordinal) || text.Contains("\"time_flow_start_ns\"", StringComparison.Ordinal) ? "goflow2-json"
            : null;
    }

    private static string Excerpt(ReadOnlySpan<byte> evidence)
    {
        var start = evidence[..Math.Min(evidence.Length, 48)];
        foreach (var letter in start)
        {
            if (letter is < 32 or > 126)
            {
                return $"hex {Convert.ToHexString(start)}";
            }
        }

        return Encoding.ASCII.GetString(start);
    }

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);

    [GeneratedRegex("\"(?:peer_ip_src|sampler_address|exporter|label)\"\\s*:\\s*\"([^\"]{1,64})\"", RegexOptions.CultureInvariant)]
    private static partial Regex AgentKey();
}
