using System.Text;
using System.Text.Json;
using Confluent.Kafka;

namespace Weir.Ingest;

/// <summary>A letter where it is kept.</summary>
/// <param name="Letter">The letter.</param>
/// <param name="IsDone">True when a replay before is done with it.</param>
public readonly record struct StoredLetter(DeadLetter Letter, bool IsDone);

/// <summary>Reads the letters of a topic or directory in order, and keeps up to where they were replayed.</summary>
/// <remarks>One thread.</remarks>
public abstract class DeadLetterReader : IDisposable
{
    /// <summary>The reader of a topic.</summary>
    /// <exception cref="KafkaException">No broker answers.</exception>
    public static DeadLetterReader OfTopic(IngestOptions options, string topic, TimeSpan timeout) =>
        new TopicReader(options, topic, timeout);

    /// <summary>The reader of a directory.</summary>
    public static DeadLetterReader OfDirectory(string directory) => new DirectoryReader(directory);

    /// <summary>The letters that are there now; what comes later is not waited for.</summary>
    public abstract IEnumerable<StoredLetter> Read();

    /// <summary>Says that the letters read so far are done with.</summary>
    public abstract void Commit();

    /// <inheritdoc/>
    public void Dispose()
    {
        Dispose(isDisposing: true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Frees what the reader holds.</summary>
    protected virtual void Dispose(bool isDisposing)
    {
    }

    private sealed class TopicReader : DeadLetterReader
    {
        private static readonly TimeSpan _pollTimeout = TimeSpan.FromMilliseconds(200);

        private readonly IConsumer<Ignore, byte[]> _consumer;
        private readonly List<TopicPartition> _partitions;
        private readonly Dictionary<TopicPartition, Offset> _next = [];
        private readonly TimeSpan _timeout;

        public TopicReader(IngestOptions options, string topic, TimeSpan timeout)
        {
            _timeout = timeout;
            var settings = ConsumerSettings.Build(options);
            settings.GroupId = options.Group + "-dead-letters"; // Beside the pipeline's group: it holds only up to where was replayed.
            settings.EnablePartitionEof = true;
            _consumer = new ConsumerBuilder<Ignore, byte[]>(settings).SetLogHandler((_, _) => { }).SetErrorHandler((_, _) => { }).Build();
            using var admin = new DependentAdminClientBuilder(_consumer.Handle).Build();
            var metadata = admin.GetMetadata(timeout).Topics.Find(other => other.Topic == topic);
            _partitions = [.. (metadata?.Partitions ?? []).Select(partition => new TopicPartition(topic, partition.PartitionId))];
        }

        public override IEnumerable<StoredLetter> Read()
        {
            if (_partitions.Count == 0)
            {
                yield break; // The topic is not there: nothing has been written.
            }

            var open = new HashSet<TopicPartition>(_partitions);
            foreach (var committed in _consumer.Committed(_partitions, _timeout).Where(committed => committed.Offset >= 0))
            {
                _next[committed.TopicPartition] = committed.Offset;
            }

            _consumer.Assign(_partitions.Select(partition => new TopicPartitionOffset(partition, Offset.Beginning)));
            while (open.Count > 0)
            {
                if (_consumer.Consume(_pollTimeout) is not { } result)
                {
                    continue;
                }

                if (result.IsPartitionEOF)
                {
                    open.Remove(result.TopicPartition);
                    continue;
                }

                var isDone = _next.TryGetValue(result.TopicPartition, out var next) && result.Offset < next;
                if (!isDone)
                {
                    _next[result.TopicPartition] = result.Offset + 1;
                }

                var headers = new Dictionary<string, string>(StringComparer.Ordinal);
                foreach (var header in result.Message.Headers)
                {
                    headers[header.Key] = Encoding.UTF8.GetString(header.GetValueBytes());
                }

                if (DeadLetter.FromHeaders(headers, result.Message.Value) is { } letter)
                {
                    yield return new StoredLetter(letter, isDone);
                }
            }
        }

        public override void Commit()
        {
            if (_next.Count > 0)
            {
                _consumer.Commit(_next.Select(pair => new TopicPartitionOffset(pair.Key, pair.Value)));
            }
        }

        protected override void Dispose(bool isDisposing)
        {
            _consumer.Close();
            _consumer.Dispose();
            base.Dispose(isDisposing);
        }
    }

    private sealed class DirectoryReader(string directory) : DeadLetterReader
    {
        /// <summary>Lines of each file that were replayed; not with the ending of the letters.</summary>
        private readonly string _positionFile = Path.Combine(directory, "replayed.json");

        private readonly Dictionary<string, long> _lines = new(StringComparer.Ordinal);

        public override IEnumerable<StoredLetter> Read()
        {
            ReadPosition();
            foreach (var file in DirectoryDeadLetters.FilesOf(directory))
            {
                var line = 0L;
                using var stream = new FileStream(file.FullName, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
                using var reader = new StreamReader(stream, Encoding.UTF8);
                while (reader.ReadLine() is { } text)
                {
                    var isTorn = reader.EndOfStream && !text.EndsWith('}'); // Of a process that died, or that is writing it.
                    if (isTorn)
                    {
                        break;
                    }

                    var isDone = ++line <= _lines.GetValueOrDefault(file.Name);
                    if (!isDone)
                    {
                        _lines[file.Name] = line;
                    }

                    if (Parse(text) is { } letter)
                    {
                        yield return new StoredLetter(letter, isDone);
                    }
                }
            }
        }

        public override void Commit()
        {
            var temporary = _positionFile + ".new";
            File.WriteAllText(temporary, JsonSerializer.Serialize(_lines));
            File.Move(temporary, _positionFile, overwrite: true);
        }

        private void ReadPosition()
        {
            if (File.Exists(_positionFile))
            {
                foreach (var (file, lines) in JsonSerializer.Deserialize<Dictionary<string, long>>(File.ReadAllText(_positionFile)) ?? [])
                {
                    _lines[file] = lines;
                }
            }
        }

        private static DeadLetter? Parse(string line)
        {
            try
            {
                var members = JsonSerializer.Deserialize<Dictionary<string, string>>(line);
                return members is not null && members.TryGetValue(DirectoryDeadLetters.ValueMember, out var value)
                    ? DeadLetter.FromHeaders(members, Convert.FromBase64String(value))
                    : null;
            }
            catch (Exception error) when (error is JsonException or FormatException)
            {
                return null; // A torn line in the middle: its file went on after a full disk.
            }
        }
    }
}
