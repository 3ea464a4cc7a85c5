using System.Net;
using System.Security.Cryptography;
using System.Text;

namespace Weir.Host.Admin;

/// <summary>Who may ask the admin endpoint: this machine, or whoever brings the token.</summary>
/// <remarks>
/// The token comes as <c>Authorization: Bearer TOKEN</c>, or as the password of HTTP's basic authentication, which browsers ask for.
/// Immutable; any thread.
/// </remarks>
internal sealed class AdminToken
{
    /// <summary>Letters of the shortest token that is taken.</summary>
    public const int CharsMin = 16;

    private readonly byte[]? _digest; // Of one length whatever the token is, so that a comparison tells nothing of it.
    private readonly bool _isReachable;

    /// <summary>Reads the token.</summary>
    /// <exception cref="IOException">The file of the token cannot be read, or its token is too short; the message names the option.</exception>
    public AdminToken(AdminOptions options)
    {
        _isReachable = !IPAddress.IsLoopback(options.Listen.Address);
        _digest = Read(options) is { } token ? SHA256.HashData(Encoding.UTF8.GetBytes(token)) : null;
    }

    /// <summary>The token of the options; null for none.</summary>
    /// <inheritdoc cref="AdminToken(AdminOptions)"/>
    public static string? Read(AdminOptions options)
    {
        if (options.TokenFile is not { } file)
        {
            return options.Token;
        }

        string? token;
        try
        {
            token = File.ReadLines(file).FirstOrDefault()?.Trim();
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new IOException($"admin.token_file cannot be read: {error.Message}", error);
        }

        return token is { Length: >= CharsMin }
            ? token
            : throw new IOException($"the first line of admin.token_file has fewer than {CharsMin} characters; make it longer");
    }

    /// <summary>True for a request that may be answered.</summary>
    public bool Permits(HttpRequest request)
    {
        if (_digest is null)
        {
            return !_isReachable;
        }

        var given = TokenIn(request.Headers.Authorization.ToString());
        return given is not null && CryptographicOperations.FixedTimeEquals(SHA256.HashData(Encoding.UTF8.GetBytes(given)), _digest);
    }

    private static string? TokenIn(string header)
    {
        if (header.StartsWith("Bearer ", StringComparison.OrdinalIgnoreCase))
        {
            return header["Bearer ".Length..].Trim();
        }

        if (!header.StartsWith("Basic ", StringComparison.OrdinalIgnoreCase))
        {
            return null;
        }

        var bytes = new byte[header.Length];
        return Convert.TryFromBase64String(header["Basic ".Length..].Trim(), bytes, out var length)
            && Encoding.UTF8.GetString(bytes, 0, length).Split(':', 2) is [_, var password]
                ? password
                : null;
    }
}
