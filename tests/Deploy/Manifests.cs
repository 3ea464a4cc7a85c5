using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text.Json.Nodes;
using Weir.Tests.Support;
using Xunit;
using YamlDotNet.Serialization;

namespace Weir.Tests.Deploy;

/// <summary>The objects of one overlay of <c>k8s/</c>, as <c>kubectl kustomize</c> renders them.</summary>
internal sealed class Manifests
{
    private static readonly ConcurrentDictionary<string, string> _rendered = [];

    private Manifests(List<JsonObject> objects) => Objects = objects;

    /// <summary>The overlays that users apply.</summary>
    internal static TheoryData<string> Overlays => ["dev", "prod", "prod-hpa"];

    /// <summary>All objects.</summary>
    internal List<JsonObject> Objects { get; }

    /// <summary>The only container of the workers.</summary>
    internal JsonNode Container => Assert.Single(PodSpec["containers"]!.AsArray())!;

    /// <summary>The pod that the StatefulSet makes.</summary>
    internal JsonNode PodSpec => The("StatefulSet")["spec"]!["template"]!["spec"]!;

    /// <summary>The ConfigMap with the configuration; dashboards and alerts may be others.</summary>
    internal JsonObject Config => Assert.Single(
        Objects, found => found["kind"]!.GetValue<string>() == "ConfigMap" && found["data"]!.AsObject().ContainsKey("weir.yaml"));

    /// <summary>The configuration that the pods read.</summary>
    internal string WeirYaml => Config["data"]!["weir.yaml"]!.GetValue<string>();

    /// <summary>Renders an overlay.</summary>
    internal static Manifests Render(string overlay) => new(Parse(_rendered.GetOrAdd(
        overlay, name => Run("kubectl", "kustomize", RepositoryPaths.Of("k8s", "overlays", name)))));

    /// <summary>The objects of a text of YAML documents.</summary>
    internal static List<JsonObject> Parse(string yaml)
    {
        var deserializer = new DeserializerBuilder().WithAttemptingUnquotedStringTypeDeserialization().Build();
        var serializer = new SerializerBuilder().JsonCompatible().Build();
        return [.. yaml.Split("\n---\n")
            .Select(text => JsonNode.Parse(serializer.Serialize(deserializer.Deserialize(new StringReader(text)))))
            .OfType<JsonObject>()];
    }

    /// <summary>Runs a program to its end and returns what it prints.</summary>
    internal static string Run(string program, params string[] arguments)
    {
        var (code, output, error) = TryRun(program, arguments);
        Assert.True(code == 0, $"{program} {string.Join(' ', arguments)} ended with {code}:\n{output}\n{error}");
        return output;
    }

    /// <summary>Runs a program to its end.</summary>
    internal static (int Code, string Output, string Error) TryRun(string program, params string[] arguments)
    {
        var start = new ProcessStartInfo(RealParts.RequireProgram(program), arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        using var process = Process.Start(start)!;
        var error = process.StandardError.ReadToEndAsync();
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, output, error.GetAwaiter().GetResult());
    }

    /// <summary>The only object of a kind.</summary>
    internal JsonObject The(string kind) => Assert.Single(Objects, found => found["kind"]!.GetValue<string>() == kind);

    /// <summary>The only object of a kind, or null.</summary>
    internal JsonObject? Find(string kind) => Objects.SingleOrDefault(found => found["kind"]!.GetValue<string>() == kind);

    /// <summary>The container's variables that have a value, and those that come from a Secret with a stand-in.</summary>
    internal (string Name, string Value)[] Environment() => [.. Container["env"]!.AsArray().Select(variable => (
        variable!["name"]!.GetValue<string>(),
        variable["value"]?.GetValue<string>().Replace("$(POD_NAME)", "weir-0", StringComparison.Ordinal) ?? "stand-in"))];
}
