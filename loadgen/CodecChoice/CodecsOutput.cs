using System.Text.Json;
using Weir.Loadgen.Commands;
using Weir.Loadgen.Reports;

namespace Weir.Loadgen.CodecChoice;

/// <summary>The results of <c>codecs</c> for people and for programs.</summary>
/// <param name="Alone">Codecs alone.</param>
/// <param name="Real">Through producer, broker and consumer; empty when not measured.</param>
/// <param name="Prices">What decides the recommendation.</param>
/// <param name="HasUsualOffsets">False when a batch's relative offsets do not count from zero.</param>
public sealed record CodecsOutput(
    IReadOnlyList<CodecResult> Alone, IReadOnlyList<CodecResult> Real, CodecPrices Prices, bool HasUsualOffsets)
{
    private const double BytesPerMb = 1e6;

    /// <summary>What cost least, among the results of the largest batch: those through the broker where there are any.</summary>
    public CodecResult Recommended =>
        (Real.Count > 0 ? Real : [.. Alone.Where(result => result.BatchBytes == Alone.Max(other => other.BatchBytes))])
        .MinBy(Prices.PerMillion)!;

    /// <summary>As one JSON object.</summary>
    public string ToJson() => CommandOptions.ToJson(json =>
    {
        Write(json, "alone", Alone);
        Write(json, "through_broker", Real);
        json.WriteString("recommended", Recommended.Codec.ToString());
        json.WriteBoolean("usual_relative_offsets", HasUsualOffsets);
    });

    /// <summary>As a report.</summary>
    public Report ToReport()
    {
        var report = new Report("Codecs for these messages");
        foreach (var group in Alone.GroupBy(result => result.BatchBytes))
        {
            report.Heading(group.Key == 0 ? "The codec alone, on the log's own batches"
                : CommandOptions.Text($"The codec alone, batches of {group.Key:N0} bytes"));
            report.Table(TableOf([.. group]));
            AddBars(report, [.. group]);
        }

        if (Real.Count > 0)
        {
            report.Heading(CommandOptions.Text(
                $"Through a producer, a broker and a consumer, batches of up to {Real[0].BatchBytes:N0} bytes"));
            report.Text("CPU times are those of the whole client process; the line of none is the price of the client itself. Compressed bytes are what went over the network.");
            report.Table(TableOf(Real));
            AddBars(report, Real);
        }

        report.Heading("Recommendation");
        report.Text(CommandOptions.Text(
            $"{Recommended.Codec}: {Prices.PerMillion(Recommended):0.0000} for a million messages, at {Prices.CpuHour} a core and hour, {Prices.NetworkGb} a GB of network, {Prices.DiskGbMonth} a GB of disk for 30 days, {Prices.Replicas} replicas, {Prices.Consumers} consumers, {Prices.RetentionDays} days kept."));
        report.Text(HasUsualOffsets
            ? "A broker takes a compressed batch as it is only when the relative offsets of its records are 0, 1, 2, … Clients that write others (sarama did before its pull requests 1002 and 1015 of 2017) make the broker decompress, renumber and compress each batch anew: look at the broker's CPU time after you have changed the codec."
            : "WARNING: there are batches whose relative offsets do not count from zero by one. A topic that is compacted has such batches; any other was written by a client that makes the broker compress each batch anew. Renew that client before you compress.");
        return report;
    }

    private static void AddBars(Report report, IReadOnlyList<CodecResult> results)
    {
        report.Bars("Bytes a message", [.. results.Select(result => (result.Codec.ToString(),
            (double)result.CompressedBytes / Math.Max(result.MessageCount, 1),
            CommandOptions.Text($"{(double)result.CompressedBytes / Math.Max(result.MessageCount, 1):0.0}")))]);
        report.Bars("Producer CPU, s for a million messages", [.. results.Select(result => (
            result.Codec.ToString(), result.CompressPerMillion, CommandOptions.Text($"{result.CompressPerMillion:0.000}")))]);
    }

    private List<IReadOnlyList<string>> TableOf(IReadOnlyList<CodecResult> results)
    {
        var none = results.FirstOrDefault(result => result.Codec.Name == "none");
        var rows = new List<IReadOnlyList<string>>
        {
            (string[])["codec", "bytes", "ratio", "bytes a message", "producer CPU s / M messages", "consumer CPU s / M messages",
                "MB/s in", "MB/s out", "bytes to none", "cost / M messages"],
        };
        rows.AddRange(results.Select(result => (string[])
        [
            result.Codec.ToString(),
            CommandOptions.Text($"{result.CompressedBytes:N0}"),
            CommandOptions.Text($"{result.Ratio:0.00}"),
            CommandOptions.Text($"{(double)result.CompressedBytes / Math.Max(result.MessageCount, 1):0.0}"),
            CommandOptions.Text($"{result.CompressPerMillion:0.000}"),
            CommandOptions.Text($"{result.DecompressPerMillion:0.000}"),
            Rate(result.RawBytes, result.CompressSeconds),
            Rate(result.RawBytes, result.DecompressSeconds),
            none is null ? "" : CommandOptions.Text($"{(double)result.CompressedBytes / none.CompressedBytes:0.000}"),
            CommandOptions.Text($"{Prices.PerMillion(result):0.0000}"),
        ]));
        return rows;
    }

    private static string Rate(long bytes, double seconds) => seconds > 0 ? CommandOptions.Text($"{bytes / BytesPerMb / seconds:0}") : "";

    private static void Write(Utf8JsonWriter json, string name, IReadOnlyList<CodecResult> results)
    {
        json.WriteStartArray(name);
        foreach (var result in results)
        {
            json.WriteStartObject();
            json.WriteString("codec", result.Codec.ToString());
            json.WriteNumber("batch_bytes", result.BatchBytes);
            json.WriteNumber("messages", result.MessageCount);
            json.WriteNumber("raw_bytes", result.RawBytes);
            json.WriteNumber("compressed_bytes", result.CompressedBytes);
            json.WriteNumber("ratio", Math.Round(result.Ratio, 4));
            json.WriteNumber("producer_cpu_s_per_million", Math.Round(result.CompressPerMillion, 4));
            json.WriteNumber("consumer_cpu_s_per_million", Math.Round(result.DecompressPerMillion, 4));
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }
}
