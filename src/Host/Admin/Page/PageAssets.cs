using System.Security.Cryptography;
using System.Text.Encodings.Web;

namespace Weir.Host.Admin.Page;

/// <summary>A file of the page, from the program itself.</summary>
/// <param name="ContentType">What it is.</param>
/// <param name="Bytes">Its content.</param>
/// <param name="Tag">Changes with the content.</param>
internal sealed record PageAsset(string ContentType, byte[] Bytes, string Tag);

/// <summary>The files of the page: <c>src/Host/Page</c> and the chart library, embedded by the build.</summary>
internal static class PageAssets
{
    /// <summary>Resources of the page have names that begin so.</summary>
    private const string Prefix = "page/";

    private const string Html = "index.html";

    private static readonly Dictionary<string, string> _contentTypes = new(StringComparer.Ordinal)
    {
        [".html"] = "text/html; charset=utf-8",
        [".css"] = "text/css; charset=utf-8",
        [".js"] = "text/javascript; charset=utf-8",
        [".txt"] = "text/plain; charset=utf-8",
        [".svg"] = "image/svg+xml",
    };

    private static readonly Dictionary<string, PageAsset> _assets = Load();

    /// <summary>Names of all files but the page itself.</summary>
    public static IEnumerable<string> Names => _assets.Keys.Where(name => name != Html);

    /// <summary>A file by its name; null where there is none.</summary>
    public static PageAsset? Find(string name) => name == Html ? null : _assets.GetValueOrDefault(name);

    /// <summary>The page.</summary>
    /// <param name="version">Version of the program.</param>
    /// <param name="paths">What the endpoint answers; the page asks for nothing else.</param>
    public static string Page(string version, IEnumerable<string> paths) =>
        System.Text.Encoding.UTF8.GetString(_assets[Html].Bytes)
            .Replace("{version}", HtmlEncoder.Default.Encode(version), StringComparison.Ordinal)
            .Replace("{paths}", HtmlEncoder.Default.Encode(string.Join(' ', paths)), StringComparison.Ordinal);

    private static Dictionary<string, PageAsset> Load()
    {
        var assets = new Dictionary<string, PageAsset>(StringComparer.Ordinal);
        var assembly = typeof(PageAssets).Assembly;
        foreach (var resource in assembly.GetManifestResourceNames().Where(name => name.StartsWith(Prefix, StringComparison.Ordinal)))
        {
            using var stream = assembly.GetManifestResourceStream(resource)!;
            var bytes = new byte[stream.Length];
            stream.ReadExactly(bytes);
            var tag = $"\"{Convert.ToHexStringLower(SHA256.HashData(bytes))[..16]}\"";
            assets[resource[Prefix.Length..]] = new PageAsset(_contentTypes[Path.GetExtension(resource)], bytes, tag);
        }

        return assets;
    }
}
