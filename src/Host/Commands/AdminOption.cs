using System.CommandLine;
using Weir.Host.Admin;

namespace Weir.Host.Commands;

/// <summary>The options by which a command finds a weir that runs: its address, or the configuration that it runs with.</summary>
internal sealed class AdminOption
{
    private readonly Option<string?> _config = ConfigOption.Create();
    private readonly Option<Uri?> _url = new("--url")
    {
        Description = "Address of its admin endpoint; without it, that of admin.listen, or the one that an embedded store names.",
        HelpName = "URL",
        CustomParser = result =>
        {
            if (Uri.TryCreate(result.Tokens[0].Value, UriKind.Absolute, out var url) && url.Scheme is "http" or "https")
            {
                return url;
            }

            result.AddError($"--url is '{result.Tokens[0].Value}'; allowed: http://host:port");
            return null;
        },
    };

    /// <summary>Adds the options to a command.</summary>
    public void AddTo(Command command)
    {
        command.Options.Add(_config);
        command.Options.Add(_url);
    }

    /// <summary>Where the weir is, and the token to bring; null when the configuration is wrong, which is told.</summary>
    /// <exception cref="IOException">The file of the token cannot be read.</exception>
    public (Uri Url, string? Token)? Find(ParseResult result, CommandContext context)
    {
        if (ConfigOption.Load(result.GetValue(_config), context) is not { } loaded)
        {
            return null;
        }

        var options = loaded.Options;
        var url = result.GetValue(_url)
            ?? (options.Writer.EmbeddedPath is { } directory ? AdminFile.Read(directory) : null)
            ?? AdminClient.UrlOf(options.Admin.Listen);
        return (url.AbsoluteUri.EndsWith('/') ? url : new Uri(url.AbsoluteUri + "/"), AdminToken.Read(options.Admin));
    }
}
