using System.Text.Json;

namespace Weir.Host.Admin;

/// <summary>The file in an embedded store that tells other processes where the one that holds it answers questions.</summary>
internal static class AdminFile
{
    private const string Name = "weir-admin.json";

    /// <summary>Leaves the address in the store.</summary>
    public static void Write(string directory, Uri url) =>
        AtomicFile.Write(
            Path.Combine(directory, Name),
            JsonSerializer.Serialize(new { url = url.AbsoluteUri, pid = Environment.ProcessId }) + "\n");

    /// <summary>Takes the address out; nothing happens where it is not.</summary>
    public static void Delete(string directory) => File.Delete(Path.Combine(directory, Name));

    /// <summary>The address, or null where there is none that can be read.</summary>
    public static Uri? Read(string directory)
    {
        try
        {
            using var file = JsonDocument.Parse(File.ReadAllText(Path.Combine(directory, Name)));
            return file.RootElement.ValueKind == JsonValueKind.Object
                && file.RootElement.TryGetProperty("url", out var url)
                && url.ValueKind == JsonValueKind.String
                && Uri.TryCreate(url.GetString(), UriKind.Absolute, out var address)
                && address.Scheme == Uri.UriSchemeHttp
                    ? address
                    : null;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or JsonException)
        {
            return null;
        }
    }
}
