using System.Globalization;
using System.Text.Json;

namespace Weir.Ingest;

/// <summary>Dead letters in files of a directory: one JSON object a line, the headers as its members, the value in base64.</summary>
/// <remarks>
/// A full directory takes no more: letters are then counted as not written. Nothing is ever deleted by itself, since a letter
/// that was counted as written must still be there.
/// </remarks>
internal sealed class DirectoryDeadLetters : IDeadLetterStore
{
    /// <summary>Ending of the files.</summary>
    public const string Ending = ".ndjson";

    /// <summary>Name of the member that holds the value.</summary>
    public const string ValueMember = "value";

    /// <summary>A file ends when it has an eighth of all bytes: so many can be taken away one by one.</summary>
    private const int FilesOfDirectory = 8;

    private static readonly byte[] _newLine = "\n"u8.ToArray();

    private readonly string _directory;
    private readonly long _bytesMax;
    private readonly TimeProvider _time;
    private FileStream? _file;
    private long _bytes;
    private int _fileCount;

    /// <summary>Makes the directory when it is absent.</summary>
    public DirectoryDeadLetters(string directory, long bytesMax, TimeProvider time)
    {
        _directory = directory;
        _bytesMax = bytesMax;
        _time = time;
        System.IO.Directory.CreateDirectory(directory);
        _bytes = FilesOf(directory).Sum(file => file.Length);
    }

    /// <summary>The files of a directory, oldest first.</summary>
    public static IEnumerable<FileInfo> FilesOf(string directory) => System.IO.Directory.Exists(directory)
        ? new DirectoryInfo(directory).EnumerateFiles("*" + Ending).OrderBy(file => file.Name, StringComparer.Ordinal)
        : [];

    /// <inheritdoc/>
    public void Write(DeadLetter letter, Action<string?> done)
    {
        var members = letter.Headers().ToDictionary(header => header.Name, header => header.Value);
        members[ValueMember] = Convert.ToBase64String(letter.Value.Span);
        var line = JsonSerializer.SerializeToUtf8Bytes(members);
        if (_bytes + line.Length + 1 > _bytesMax)
        {
            done(string.Create(
                CultureInfo.InvariantCulture,
                $"the directory is full ({_bytesMax} bytes); replay or remove its files, or raise dead_letters.directory_max"));
            return;
        }

        try
        {
            var file = File();
            file.Write(line);
            file.Write(_newLine);
            file.Flush();
            _bytes += line.Length + 1;
            done(null);
        }
        catch (IOException error)
        {
            _file?.Dispose();
            _file = null; // The next letter begins a new file, after the torn line of this one.
            done(error.Message);
        }
    }

    /// <inheritdoc/>
    public void Flush(TimeSpan timeout) => _file?.Flush(flushToDisk: true);

    /// <inheritdoc/>
    public void Dispose() => _file?.Dispose();

    private FileStream File()
    {
        if (_file is not null && _file.Length < _bytesMax / FilesOfDirectory)
        {
            return _file;
        }

        _file?.Dispose();
        var name = string.Create(
            CultureInfo.InvariantCulture, $"{_time.GetUtcNow():yyyyMMddHHmmss}-{Environment.ProcessId}-{_fileCount++:D6}{Ending}");
        return _file = new FileStream(Path.Combine(_directory, name), FileMode.CreateNew, FileAccess.Write, FileShare.Read);
    }
}
