using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using Weir.Core.Model;
using Weir.Core.Telemetry;
using Weir.Ingest;

namespace Weir.Host.Taps;

/// <summary><c>/tap</c>: live records as lines of JSON, until there are as many as were asked for, the time is over, or the caller leaves.</summary>
/// <remarks>One tap at a time: it costs the workers at most a hundredth of their time, and two would cost two.</remarks>
internal sealed partial class TapEndpoint(
    StreamSchema schema, IReadOnlyList<FlowProbe> probes, Func<IReadOnlyList<RejectSample>> rejects, TimeProvider time)
{
    private const int LimitDefault = 10;
    private const int LimitMax = 10_000;
    private const int SecondsDefault = 30;
    private const int SecondsMax = 600;

    private static readonly TimeSpan _poll = TimeSpan.FromMilliseconds(50);

    private int _isTapped;

    /// <summary>Answers one request.</summary>
    public async Task AnswerAsync(HttpContext http)
    {
        if (Interlocked.CompareExchange(ref _isTapped, 1, 0) != 0)
        {
            await RefuseAsync(http, StatusCodes.Status503ServiceUnavailable, "somebody else looks at live records; ask again");
            return;
        }

        try
        {
            var query = http.Request.Query;
            var limit = ReadNumber(query["limit"], LimitDefault, LimitMax);
            var until = time.GetTimestamp() + (ReadNumber(query["seconds"], SecondsDefault, SecondsMax) * time.TimestampFrequency);
            var filter = query["filter"].ToString();
            http.Response.ContentType = "application/x-ndjson; charset=utf-8";
            if (query["stage"] == "rejected")
            {
                await TapRejectsAsync(http, RejectFilter.Parse(filter), limit, until);
            }
            else if (Enum.TryParse<TapStage>(query["stage"], ignoreCase: true, out var stage) && Enum.IsDefined(stage))
            {
                var view = query["view"].ToString();
                if (view.Length > 0 && schema.Views.All(plan => plan.Definition.Name != view))
                {
                    throw new FormatException($"there is no view {view}");
                }

                await TapAsync(http, new FlowTap(schema, stage, FlowFilter.Parse(filter, schema), limit, view.Length > 0 ? view : null), until);
            }
            else
            {
                throw new FormatException($"the stage is '{query["stage"]}'; allowed: decoded, folded, rejected");
            }
        }
        catch (FormatException error)
        {
            await RefuseAsync(http, StatusCodes.Status400BadRequest, error.Message);
        }
        catch (OperationCanceledException)
        {
            // The caller has left.
        }
        finally
        {
            Volatile.Write(ref _isTapped, 0);
        }
    }

    private async Task TapAsync(HttpContext http, FlowTap tap, long until)
    {
        foreach (var probe in probes)
        {
            probe.Tap = tap;
        }

        try
        {
            using var timer = new PeriodicTimer(_poll, time);
            await http.Response.StartAsync(http.RequestAborted);
            bool isLast;
            do
            {
                await timer.WaitForNextTickAsync(http.RequestAborted);
                isLast = tap.IsFull || time.GetTimestamp() >= until;
                foreach (var (partition, fields) in tap.Take())
                {
                    await WriteLineAsync(http, json =>
                    {
                        json.WriteString("topic", partition.Topic);
                        json.WriteNumber("partition", partition.Partition);
                        foreach (var (name, value) in fields)
                        {
                            json.WriteString(name, value);
                        }
                    });
                }

                await http.Response.Body.FlushAsync(http.RequestAborted);
            }
            while (!isLast);
        }
        finally
        {
            foreach (var probe in probes)
            {
                probe.Tap = null;
            }
        }
    }

    private async Task TapRejectsAsync(HttpContext http, RejectFilter filter, int limit, long until)
    {
        var next = rejects().Select(reject => reject.Number + 1).DefaultIfEmpty().Max();
        using var timer = new PeriodicTimer(_poll, time);
        await http.Response.StartAsync(http.RequestAborted);
        for (var count = 0; count < limit && time.GetTimestamp() < until;)
        {
            await timer.WaitForNextTickAsync(http.RequestAborted);
            foreach (var reject in rejects().Where(reject => reject.Number >= next).OrderBy(reject => reject.Number))
            {
                next = reject.Number + 1;
                if (count < limit && filter.Matches(reject))
                {
                    count++;
                    await WriteLineAsync(http, json =>
                    {
                        json.WriteString("topic", reject.Topic);
                        json.WriteNumber("partition", reject.Partition);
                        json.WriteNumber("offset", reject.Offset);
                        json.WriteString("reason", reject.Status.Label());
                        json.WriteNumber("bytes", reject.EvidenceBytes);
                        json.WriteString("hex", Convert.ToHexString(reject.Evidence.Span));
                    });
                }
            }

            await http.Response.Body.FlushAsync(http.RequestAborted);
        }
    }

    private static async Task WriteLineAsync(HttpContext http, Action<Utf8JsonWriter> write)
    {
        using var line = new MemoryStream();
        using (var json = new Utf8JsonWriter(line))
        {
            json.WriteStartObject();
            write(json);
            json.WriteEndObject();
        }

        line.WriteByte((byte)'\n');
        await http.Response.Body.WriteAsync(line.GetBuffer().AsMemory(0, (int)line.Length), http.RequestAborted);
    }

    private static async Task RefuseAsync(HttpContext http, int status, string reason)
    {
        http.Response.StatusCode = status;
        http.Response.ContentType = "text/plain; charset=utf-8";
        await http.Response.WriteAsync(reason + "\n", http.RequestAborted);
    }

    private static int ReadNumber(string? text, int otherwise, int max)
    {
        if (string.IsNullOrEmpty(text))
        {
            return otherwise;
        }

        return int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number >= 1 && number <= max
            ? number
            : throw new FormatException($"'{text}' is no number from 1 to {max}");
    }

    /// <summary>Conditions on rejected records: equality of reason, topic and partition.</summary>
    private sealed partial record RejectFilter(string? Reason, string? Topic, string? Partition)
    {
        internal static RejectFilter Parse(string text)
        {
            var filter = new RejectFilter(null, null, null);
            foreach (var part in AndWord().Split(text.Trim()).Where(part => part.Length > 0))
            {
                var match = Pattern().Match(part);
                filter = match.Groups[1].Value switch
                {
                    "reason" => filter with { Reason = match.Groups[2].Value },
                    "topic" => filter with { Topic = match.Groups[2].Value },
                    "partition" => filter with { Partition = match.Groups[2].Value },
                    _ => throw new FormatException($"'{part}' is no condition on rejected records; allowed: reason = …, topic = … and partition = …"),
                };
            }

            return filter;
        }

        internal bool Matches(RejectSample reject) =>
            (Reason is null || Reason == reject.Status.Label())
            && (Topic is null || Topic == reject.Topic)
            && (Partition is null || Partition == reject.Partition.ToString(CultureInfo.InvariantCulture));

        [GeneratedRegex(@"^(reason|topic|partition)\s*==?\s*['""]?([\w.-]+)['""]?$", RegexOptions.CultureInvariant)]
        private static partial Regex Pattern();

        [GeneratedRegex(@"\s+(?:and|AND)\s+|\s*&&\s*", RegexOptions.CultureInvariant)]
        private static partial Regex AndWord();
    }
}
