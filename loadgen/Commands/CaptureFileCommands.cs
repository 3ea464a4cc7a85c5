using System.CommandLine;
using Weir.Loadgen.Capture;

namespace Weir.Loadgen.Commands;

/// <summary><c>capture info</c> and <c>capture cut</c>: what is done with a capture without a broker.</summary>
internal static class CaptureFileCommands
{
    /// <summary><c>capture info</c>.</summary>
    public static Command CreateInfo()
    {
        var file = new Argument<string>("file") { Description = "the capture" };
        var verify = CommandOptions.Of("--verify", "read every segment and check it", false);
        var json = CommandOptions.Json();
        var command = new Command("info", """
            Shows what is in a capture. Exit 1 when something in it is damaged. Examples:
              weir-loadgen capture info flows.weircap
              weir-loadgen capture info flows.weircap --verify --json
            """) { file, verify, json };
        command.SetAction((arguments, cancellation) => CommandOptions.GuardAsync(() => ShowInfoAsync(
            arguments.GetValue(file)!, arguments.GetValue(verify), arguments.GetValue(json), cancellation)));
        return command;
    }

    /// <summary><c>capture cut</c>.</summary>
    public static Command CreateCut()
    {
        var source = new Argument<string>("file") { Description = "the capture" };
        var target = new Argument<string>("out") { Description = "the new capture" };
        var from = CommandOptions.Of<string>("--from", "messages of this time and later");
        var to = CommandOptions.Of<string>("--to", "messages before this time");
        var partitions = CommandOptions.Of<string>("--partitions", "these partitions only, such as 0,2,5");
        var messages = CommandOptions.Of<long?>("--messages", "at most so many messages of each partition");
        var json = CommandOptions.Json();
        var command = new Command("cut", """
            Copies a part of a capture into a new one. Damaged segments are reported and left out. Examples:
              weir-loadgen capture cut flows.weircap five-minutes.weircap --from 2026-01-31T12:00:00Z --to 2026-01-31T12:05:00Z
              weir-loadgen capture cut flows.weircap small.weircap --partitions 0,1 --messages 10000
            """)
        {
            source, target, from, to, partitions, messages, json,
        };
        command.SetAction((arguments, cancellation) => CommandOptions.GuardAsync(() => CutAsync(
            arguments.GetValue(source)!,
            arguments.GetValue(target)!,
            new CaptureCut
            {
                FromMs = arguments.GetValue(from) is { } begin ? CommandOptions.Time("--from", begin).ToUnixTimeMilliseconds()
                    : long.MinValue,
                ToMs = arguments.GetValue(to) is { } end ? CommandOptions.Time("--to", end).ToUnixTimeMilliseconds() : long.MaxValue,
                Partitions = arguments.GetValue(partitions)?.Split(',').Select(text => int.TryParse(text, out var partition)
                    ? partition : throw new ArgumentException($"--partitions: '{text}' is no partition")).ToHashSet(),
                MessagesOfPartitionMax = arguments.GetValue(messages) ?? long.MaxValue,
            },
            arguments.GetValue(json),
            cancellation)));
        return command;
    }

    private static async Task<int> CutAsync(string source, string target, CaptureCut cut, bool isJson, CancellationToken cancellation)
    {
        using var reader = CaptureReader.Open(source);
        using (var writer = CaptureWriter.Create(target, reader.Header))
        {
            var work = Task.Run(() => cut.Copy(reader, writer, cancellation), CancellationToken.None);
            await CommandOptions.ShowProgressAsync(work, () => Progress(cut.SegmentsDone, reader));
            var isWhole = await work;
            Console.Out.WriteLine(isJson
                ? CommandOptions.ToJson(output =>
                {
                    output.WriteNumber("messages", writer.MessageCount);
                    output.WriteNumber("damages", reader.Damages.Count);
                    output.WriteBoolean("stopped", !isWhole);
                })
                : CommandOptions.Text($"{writer.MessageCount:N0} messages{(isWhole ? "" : "; stopped before the end")}"));
        }

        return ReportDamages(reader);
    }

    private static string Progress(int segmentsDone, CaptureReader reader) =>
        CommandOptions.Text($"{segmentsDone:N0} of {reader.Segments.Count:N0} segments");

    /// <summary>Says on stderr what could not be read.</summary>
    /// <returns>The exit code: 1 when there was something.</returns>
    public static int ReportDamages(CaptureReader reader)
    {
        foreach (var damage in reader.Damages)
        {
            Console.Error.WriteLine($"damaged: {damage.Describe(reader.Header)}");
        }

        return reader.Damages.Count == 0 ? 0 : 1;
    }

    /// <summary>The partitions of a capture as a table with its head.</summary>
    public static IReadOnlyList<IReadOnlyList<string>> PartitionTable(CaptureReader reader) =>
    [
        (string[])["partition", "messages", "first offset", "last offset", "first time", "last time"],
        .. PartitionsOf(reader).Select(partition => (string[])
        [
            $"{reader.Header.Topics[partition.Key.Topic].Name} [{partition.Key.Partition}]",
            CommandOptions.Text($"{partition.Sum(segment => (long)segment.MessageCount):N0}"),
            CommandOptions.Text($"{partition.Min(segment => segment.FirstOffset)}"),
            CommandOptions.Text($"{partition.Max(segment => segment.LastOffset)}"),
            At(partition.Min(segment => segment.MinTimestampMs)),
            At(partition.Max(segment => segment.MaxTimestampMs)),
        ]),
    ];

    private static IEnumerable<IGrouping<(int Topic, int Partition), CaptureSegment>> PartitionsOf(CaptureReader reader) =>
        reader.Segments.GroupBy(segment => (segment.Topic, segment.Partition)).OrderBy(group => group.Key);

    private static async Task<int> ShowInfoAsync(string path, bool isVerified, bool isJson, CancellationToken cancellation)
    {
        using var reader = CaptureReader.Open(path);
        var checkedCount = 0;
        if (isVerified)
        {
            var work = Task.Run(
                () =>
                {
                    foreach (var segment in reader.Segments.TakeWhile(_ => !cancellation.IsCancellationRequested))
                    {
                        reader.TryRead(segment, out _);
                        Volatile.Write(ref checkedCount, checkedCount + 1);
                    }
                },
                CancellationToken.None);
            await CommandOptions.ShowProgressAsync(work, () => Progress(Volatile.Read(ref checkedCount), reader));
            await work;
        }

        ShowInfo(reader, isVerified ? checkedCount : null, isJson);
        return ReportDamages(reader);
    }

    private static void ShowInfo(CaptureReader reader, int? checkedCount, bool isJson)
    {
        var partitions = PartitionsOf(reader).ToList();
        var raw = reader.Segments.Sum(segment => (long)segment.RawBytes);
        var compressed = reader.Segments.Sum(segment => (long)segment.CompressedBytes);
        if (isJson)
        {
            Console.Out.WriteLine(CommandOptions.ToJson(json =>
            {
                json.WriteNumber("messages", reader.Segments.Sum(segment => (long)segment.MessageCount));
                json.WriteNumber("segments", reader.Segments.Count);
                json.WriteNumber("raw_bytes", raw);
                json.WriteNumber("compressed_bytes", compressed);
                json.WriteBoolean("anonymised", reader.Header.IsAnonymised);
                json.WriteBoolean("closed", reader.HasIndex);
                json.WriteNumber("damages", reader.Damages.Count);
                if (checkedCount is { } count)
                {
                    json.WriteNumber("checked_segments", count);
                }

                json.WriteStartArray("partitions");
                foreach (var partition in partitions)
                {
                    json.WriteStartObject();
                    json.WriteString("topic", reader.Header.Topics[partition.Key.Topic].Name);
                    json.WriteNumber("partition", partition.Key.Partition);
                    json.WriteNumber("messages", partition.Sum(segment => (long)segment.MessageCount));
                    json.WriteNumber("first_offset", partition.Min(segment => segment.FirstOffset));
                    json.WriteNumber("last_offset", partition.Max(segment => segment.LastOffset));
                    json.WriteNumber("min_time_ms", partition.Min(segment => segment.MinTimestampMs));
                    json.WriteNumber("max_time_ms", partition.Max(segment => segment.MaxTimestampMs));
                    json.WriteEndObject();
                }

                json.WriteEndArray();
            }));
            return;
        }

        var output = Console.Out;
        output.WriteLine(CommandOptions.Text(
            $"{string.Join(", ", reader.Header.Topics.Select(topic => $"{topic.Name} ({topic.Format ?? "format not said"}, {topic.PartitionCount} partitions)"))}{(reader.Header.IsAnonymised ? ", anonymised" : "")}{(reader.HasIndex ? "" : ", not closed")}"));
        output.WriteLine(CommandOptions.Text(
            $"{reader.Segments.Sum(segment => (long)segment.MessageCount):N0} messages in {reader.Segments.Count:N0} segments, {raw:N0} bytes, compressed {compressed:N0} ({(compressed == 0 ? 0 : (double)raw / compressed):0.00} : 1)"));
        foreach (var partition in partitions)
        {
            output.WriteLine(CommandOptions.Text(
                $"  {reader.Header.Topics[partition.Key.Topic].Name} [{partition.Key.Partition}] {partition.Sum(segment => (long)segment.MessageCount),12:N0} messages, offsets {partition.Min(segment => segment.FirstOffset)} to {partition.Max(segment => segment.LastOffset)}, {At(partition.Min(segment => segment.MinTimestampMs))} to {At(partition.Max(segment => segment.MaxTimestampMs))}"));
        }

        if (checkedCount is { } count)
        {
            output.WriteLine(CommandOptions.Text($"{count:N0} of {reader.Segments.Count:N0} segments checked"));
        }
    }

    private static string At(long milliseconds) =>
        DateTimeOffset.FromUnixTimeMilliseconds(milliseconds).ToString(
            "yyyy-MM-dd'T'HH:mm:ss.fff'Z'", System.Globalization.CultureInfo.InvariantCulture);
}
