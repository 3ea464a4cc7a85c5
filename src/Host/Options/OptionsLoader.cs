using Weir.Core.Model;
using Weir.Writer;

namespace Weir.Host.Options;

/// <summary>A configuration that was read.</summary>
/// <param name="Options">The options; where there are errors, the defaults stand for what could not be read.</param>
/// <param name="Errors">Everything wrong; not empty means that the program must not start.</param>
/// <param name="Warnings">What is odd but has a meaning.</param>
/// <param name="OriginByPath">Where each option was given that was given.</param>
internal sealed record LoadedOptions(
    WeirOptions Options,
    IReadOnlyList<OptionIssue> Errors,
    IReadOnlyList<OptionIssue> Warnings,
    IReadOnlyDictionary<string, ConfigOrigin> OriginByPath)
{
    /// <summary>The file that was named on the command line; null for none.</summary>
    public string? File { get; init; }
}

/// <summary>Reads the file and the environment into <see cref="WeirOptions"/> and finds everything that is wrong, at once.</summary>
internal static class OptionsLoader
{
    private const string UrlPath = "clickhouse.url";
    private const string UrlsPath = "clickhouse.urls";
    private const string EmbeddedPath = "clickhouse.embedded";

    /// <summary>Reads a configuration.</summary>
    /// <param name="yaml">The text of the file; empty for none.</param>
    /// <param name="fileName">What messages call the file.</param>
    /// <param name="environment">The environment; only names that begin with <see cref="EnvironmentOverrides.Prefix"/> matter.</param>
    public static LoadedOptions Load(string yaml, string fileName, IReadOnlyDictionary<string, string> environment)
    {
        var issues = new OptionIssues();
        var root = ConfigYaml.ReadFile(yaml, fileName, issues);
        ReportUnknownKeys(root, "", issues);
        EnvironmentOverrides.Apply(root, environment, issues);
        ChooseSink(root, issues);

        var options = new WeirOptions();
        var origins = new Dictionary<string, ConfigOrigin>(StringComparer.Ordinal);
        foreach (var spec in OptionSpecs.All)
        {
            if (Find(root, spec.Path) is { } node)
            {
                options = spec.Read(options, node, issues);
                origins[spec.Path] = node.Origin;
            }
        }

        if (options.Writer.EmbeddedPath is not null || options.Writer.Urls.Count > 0)
        {
            options = options with { Writer = options.Writer with { Url = null } };
        }

        CheckDeadLetters(options, issues, origins);
        CheckSecurity(options, issues, origins);
        CheckViews(options, issues);
        CheckDeadLetters(options, issues);
        CheckAdmin(options, issues, origins);
        return new LoadedOptions(options, issues.Errors, issues.Warnings, origins);
    }

    private static ConfigNode? Find(ConfigMap root, string path)
    {
        ConfigNode? node = root;
        foreach (var step in path.Split('.'))
        {
            node = (node as ConfigMap)?.Find(step);
        }

        return node;
    }

    private static void ReportUnknownKeys(ConfigMap map, string prefix, OptionIssues issues)
    {
        foreach (var entry in map.Entries)
        {
            var path = prefix + entry.Key;
            if (OptionSpecs.Find(path) is not null)
            {
                continue;
            }

            if (!OptionSpecs.All.Any(spec => spec.Path.StartsWith(path + ".", StringComparison.Ordinal)))
            {
                issues.UnknownKey(path, entry.KeyOrigin, OptionSpecs.All.Select(spec => spec.Path).Concat(Sections()));
            }
            else if (entry.Value is ConfigMap section)
            {
                ReportUnknownKeys(section, path + ".", issues);
            }
            else if (entry.Value is not ConfigNull)
            {
                issues.WrongShape(path, entry.Value, "a map of options");
            }
        }
    }

    private static IEnumerable<string> Sections() => OptionSpecs.All
        .Where(spec => spec.Path.Contains('.', StringComparison.Ordinal))
        .Select(spec => spec.Path[..spec.Path.LastIndexOf('.')])
        .Distinct();

    /// <summary>One of the ways to name the sink: two given in one place are an error; otherwise the environment wins over the file.</summary>
    private static void ChooseSink(ConfigMap root, OptionIssues issues)
    {
        foreach (var (path, other) in new[] { (EmbeddedPath, UrlPath), (EmbeddedPath, UrlsPath), (UrlsPath, UrlPath) })
        {
            if (Find(root, path) is not { } node || Find(root, other) is not { } otherNode)
            {
                continue;
            }

            if (node.Origin.IsEnvironment == otherNode.Origin.IsEnvironment)
            {
                issues.Error(path, node.Origin, $"is given together with {other} ({otherNode.Origin}); allowed: one of the two");
            }
            else
            {
                var loser = otherNode.Origin.IsEnvironment ? path : other;
                ((ConfigMap)root.Find("clickhouse")!).Remove(loser["clickhouse.".Length..]);
            }
        }
    }

    private static void CheckSecurity(WeirOptions options, OptionIssues issues, Dictionary<string, ConfigOrigin> origins)
    {
        var writer = options.Writer;
        if (writer is { PasswordFile: not null, Password.Length: > 0 })
        {
            issues.Error(
                "clickhouse.password_file", origins["clickhouse.password_file"], "is given together with clickhouse.password; allowed: one of the two");
        }

        if (writer is { TlsKeyFile: not null, TlsCertificateFile: null })
        {
            issues.Error("clickhouse.tls_key_file", origins["clickhouse.tls_key_file"], "is given without clickhouse.tls_certificate_file; give both");
        }

        foreach (var path in new[] { "clickhouse.tls_ca_file", "clickhouse.tls_certificate_file" })
        {
            if (origins.TryGetValue(path, out var origin) && !writer.AllServers.Any(server => server.Scheme == Uri.UriSchemeHttps))
            {
                issues.Warn(path, origin, "has no effect: no server's address begins with https");
            }
        }
    }

    private static void CheckDeadLetters(WeirOptions options, OptionIssues issues, Dictionary<string, ConfigOrigin> origins)
    {
        if (options.Writer is { OnRefused: RefusedBlock.DeadLetter, DeadLetterDirectory: null })
        {
            issues.Error(
                "clickhouse.on_refused",
                origins.GetValueOrDefault("clickhouse.on_refused"),
                "is dead-letter, but clickhouse.refused_directory is not set; name a directory, or choose stop or drop");
        }
    }

    private static void CheckDeadLetters(WeirOptions options, OptionIssues issues)
    {
        var letters = options.Ingest.DeadLetters;
        if (letters is { Topic: not null, Directory: not null })
        {
            issues.Error("dead_letters.directory", null, "is given together with dead_letters.topic; allowed: one of the two");
        }

        if (letters.Topic is { } name && options.Ingest.Topics.Any(topic => topic.Name == name))
        {
            issues.Error(
                "dead_letters.topic",
                null,
                $"is {name}, which kafka.topics reads: rejected records would come back for ever; allowed: another topic");
        }
    }

    private static void CheckAdmin(WeirOptions options, OptionIssues issues, Dictionary<string, ConfigOrigin> origins)
    {
        var admin = options.Admin;
        if (admin is { Token: not null, TokenFile: not null })
        {
            issues.Error("admin.token_file", origins.GetValueOrDefault("admin.token_file"), "is given together with admin.token; allowed: one of the two");
        }

        if (admin is { Token: null, TokenFile: null } && !System.Net.IPAddress.IsLoopback(admin.Listen.Address))
        {
            issues.Error(
                "admin.listen",
                origins.GetValueOrDefault("admin.listen"),
                $"is {admin.Listen}, which other machines reach; give admin.token or admin.token_file too, or listen on 127.0.0.1");
        }
    }

    private static void CheckViews(WeirOptions options, OptionIssues issues)
    {
        if (issues.Errors.Any(issue => issue.Path.StartsWith("views", StringComparison.Ordinal)))
        {
            return;
        }

        try
        {
            StreamSchema.Compile(options.EffectiveViews);
        }
        catch (ArgumentException error)
        {
            issues.Error("views", null, $"do not fit together: {error.Message}");
        }
    }
}
