using System.Text;

namespace Weir.Writer;

/// <summary>The password of the server's user: from the options, or from a file that is read for each request.</summary>
/// <remarks>
/// Reading a small file costs microseconds beside an insert's milliseconds, and so a rotated password is in use at once. While the
/// file is away, as in the middle of a careless replacement, the last one read stays. Any thread.
/// </remarks>
internal sealed class ServerPassword(WriterOptions options)
{
    /// <summary>Bytes of the file; a longer one is not a password.</summary>
    private const int BytesMax = 4_096;

    private string? _last;
    private string? _before;

    /// <summary>The password now; empty for none.</summary>
    /// <exception cref="IOException">The file cannot be read and never could; the message says what to do.</exception>
    internal string Read()
    {
        if (options.PasswordFile is not { } path)
        {
            return options.Password;
        }

        try
        {
            var bytes = File.ReadAllBytes(path);
            if (bytes.Length > BytesMax)
            {
                throw new IOException($"it has {bytes.Length} bytes, and a password at most {BytesMax}");
            }

            var password = Encoding.UTF8.GetString(bytes).TrimEnd('\r', '\n');
            var last = Volatile.Read(ref _last);
            if (password != last)
            {
                Volatile.Write(ref _before, last);
                Volatile.Write(ref _last, password);
            }

            return password;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return Volatile.Read(ref _last)
                ?? throw new IOException($"clickhouse.password_file {path} cannot be read ({error.Message}); mount it, or correct the path", error);
        }
    }

    /// <summary>A text without the password, the one before it included: a server may repeat in an error what it was sent.</summary>
    internal string Mask(string text)
    {
        foreach (var secret in new[] { options.Password, Volatile.Read(ref _last), Volatile.Read(ref _before) })
        {
            text = string.IsNullOrEmpty(secret) ? text : text.Replace(secret, "***", StringComparison.Ordinal);
        }

        return text;
    }
}
