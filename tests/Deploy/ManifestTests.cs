using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Weir.Host.Options;
using Weir.Tests.Host;
using Weir.Tests.Support;
using Xunit;

namespace Weir.Tests.Deploy;

/// <summary>The manifests render, are what the Kubernetes API takes, and what one of them says of another is so.</summary>
public partial class ManifestTests
{
    /// <summary>What a stop may take beyond shutdown.timeout: leaving the group, and two stages that end (WeirHost, KafkaSource).</summary>
    private static readonly TimeSpan _stopMargin = TimeSpan.FromSeconds(25);

    public static TheoryData<string> Overlays => Manifests.Overlays;

    [RealPartTheory(RealPart.Kubectl, RealPart.KubernetesApi)]
    [MemberData(nameof(Overlays))]
    public void Objects_are_what_the_api_takes(string overlay)
    {
        var (code, output, error) = CheckApi(new JsonArray([.. Manifests.Render(overlay).Objects]));
        Assert.True(code == 0, error);
        Assert.Matches("^[1-9][0-9]* objects, 0 problems", output);
    }

    [RealPartFact(RealPart.Kubectl, RealPart.KubernetesApi)]
    public void The_check_of_the_api_finds_misspelt_missing_and_wrong_fields()
    {
        var manifests = Manifests.Render("prod");
        manifests.The("StatefulSet")["spec"]!["podManagmentPolicy"] = "Parallel";
        manifests.The("ScaledObject")["spec"]!.AsObject().Remove("scaleTargetRef");
        manifests.The("Service")["spec"]!["ports"]![0]!["port"] = "http";

        var (code, _, error) = CheckApi(new JsonArray([.. manifests.Objects]));

        Assert.Equal(1, code);
        Assert.Contains("StatefulSet weir: Object literal may only specify known properties, and '\"podManagmentPolicy\"'", error, StringComparison.Ordinal);
        Assert.Contains("ScaledObject weir: Property '\"scaleTargetRef\"' is missing", error, StringComparison.Ordinal);
        Assert.Contains("Service weir: Type 'string' is not assignable to type 'number'", error, StringComparison.Ordinal);
    }

    [RealPartTheory(RealPart.Kubectl)]
    [MemberData(nameof(Overlays))]
    public void Selectors_find_the_pods(string overlay)
    {
        var manifests = Manifests.Render(overlay);
        var labels = manifests.The("StatefulSet")["spec"]!["template"]!["metadata"]!["labels"]!;
        var selectors = new List<JsonNode?>
        {
            manifests.The("StatefulSet")["spec"]!["selector"]!["matchLabels"],
            manifests.The("Service")["spec"]!["selector"],
            manifests.The("PodDisruptionBudget")["spec"]!["selector"]!["matchLabels"],
            manifests.The("NetworkPolicy")["spec"]!["podSelector"]!["matchLabels"],
        };
        selectors.AddRange(manifests.PodSpec["topologySpreadConstraints"]?.AsArray().Select(spread => spread!["labelSelector"]!["matchLabels"]) ?? []);

        foreach (var selector in selectors)
        {
            Assert.NotEmpty(selector!.AsObject());
            Assert.All(selector.AsObject(), label => Assert.Equal(label.Value!.GetValue<string>(), labels[label.Key]?.GetValue<string>()));
        }

        var monitor = manifests.Find("ServiceMonitor");
        if (monitor is not null)
        {
            var wanted = monitor["spec"]!["selector"]!["matchLabels"]!.AsObject();
            Assert.All(wanted, label => Assert.Equal(
                label.Value!.GetValue<string>(), manifests.The("Service")["metadata"]!["labels"]![label.Key]!.GetValue<string>()));
        }

        Assert.Equal(manifests.The("Service")["metadata"]!["name"]!.ToString(), manifests.The("StatefulSet")["spec"]!["serviceName"]!.ToString());
        Assert.Equal(manifests.The("ServiceAccount")["metadata"]!["name"]!.ToString(), manifests.PodSpec["serviceAccountName"]!.ToString());
    }

    [RealPartTheory(RealPart.Kubectl)]
    [MemberData(nameof(Overlays))]
    public void Weir_takes_the_configuration_with_the_pods_variables(string overlay)
    {
        var manifests = Manifests.Render(overlay);
        var loaded = HostConfig.Load(manifests.WeirYaml, manifests.Environment());

        Assert.Empty(loaded.Errors);
        Assert.Empty(loaded.Warnings);
        Assert.Equal("weir-0", loaded.Options.Ingest.KafkaProperties["group.instance.id"]);
        var args = manifests.Container["args"]!.AsArray().Select(argument => argument!.GetValue<string>()).ToList();
        Assert.Equal(["run", "-c", $"{MountOf(manifests, "config")}/weir.yaml"], args);
        Assert.Null(MountNode(manifests, "config")["subPath"]); // It would keep a changed ConfigMap from the file.
        Assert.Equal(
            manifests.Config["metadata"]!["name"]!.ToString(), Volume(manifests, "config")!["configMap"]!["name"]!.ToString());
    }

    [RealPartTheory(RealPart.Kubectl)]
    [MemberData(nameof(Overlays))]
    public void Ports_and_probes_meet_the_admin_endpoint(string overlay)
    {
        var manifests = Manifests.Render(overlay);
        var listen = HostConfig.LoadGood(manifests.WeirYaml, manifests.Environment()).Options.Admin.Listen;
        var port = Assert.Single(manifests.Container["ports"]!.AsArray())!;
        Assert.Equal(listen.Port, port["containerPort"]!.GetValue<int>());
        Assert.True(listen.Address.Equals(System.Net.IPAddress.IPv6Any), "Probes come from outside the pod.");

        var servicePort = Assert.Single(manifests.The("Service")["spec"]!["ports"]!.AsArray())!;
        Assert.Equal(listen.Port, servicePort["port"]!.GetValue<int>());
        var names = new List<string> { servicePort["targetPort"]!.ToString() };
        var policy = manifests.The("NetworkPolicy")["spec"]!["ingress"]![0]!["ports"]![0]!;
        names.Add(policy["port"]!.ToString());
        foreach (var (probe, path) in new[] { ("readinessProbe", "/readyz"), ("livenessProbe", "/healthz"), ("startupProbe", "/healthz") })
        {
            var get = manifests.Container[probe]!["httpGet"]!;
            Assert.Equal(path, get["path"]!.ToString());
            names.Add(get["port"]!.ToString());
            Assert.Contains($"\"{path}\"", AdminSource(), StringComparison.Ordinal);
        }

        Assert.All(names, name => Assert.Equal(port["name"]!.ToString(), name));
        if (manifests.Find("ServiceMonitor") is { } monitor)
        {
            var endpoint = Assert.Single(monitor["spec"]!["endpoints"]!.AsArray())!;
            Assert.Equal(servicePort["name"]!.ToString(), endpoint["port"]!.ToString());
            Assert.Contains($"\"{endpoint["path"]}\"", AdminSource(), StringComparison.Ordinal);
        }
    }

    [RealPartTheory(RealPart.Kubectl)]
    [MemberData(nameof(Overlays))]
    public void The_grace_period_and_the_memory_fit_the_configuration(string overlay)
    {
        var manifests = Manifests.Render(overlay);
        var options = HostConfig.LoadGood(manifests.WeirYaml, manifests.Environment()).Options;

        var grace = TimeSpan.FromSeconds(manifests.PodSpec["terminationGracePeriodSeconds"]!.GetValue<int>());
        Assert.True(grace >= options.ShutdownTimeout + _stopMargin, $"{grace} is too short for {options.ShutdownTimeout}");

        // What docs/configuration.md says of memory.limit, and librdkafka's queues.
        const long Mebi = 1L << 20;
        var needed = options.MemoryLimitBytes + (300 * Mebi) + (64 * Mebi * options.Ingest.Workers)
            + (options.Writer.EmbeddedPath is null ? 0 : (300 * Mebi) + options.Writer.EmbeddedQueryMemoryBytes);
        var limit = manifests.Container["resources"]!["limits"]!["memory"]!.GetValue<string>();
        Assert.EndsWith("Mi", limit, StringComparison.Ordinal);
        var bytes = long.Parse(limit[..^2], System.Globalization.CultureInfo.InvariantCulture) * Mebi;
        Assert.True(bytes >= needed, $"{limit} is less than {needed / Mebi}Mi");
        Assert.Equal(limit, manifests.Container["resources"]!["requests"]!["memory"]!.ToString());
        Assert.Null(manifests.Container["resources"]!["limits"]!["cpu"]);
    }

    [RealPartTheory(RealPart.Kubectl)]
    [MemberData(nameof(Overlays))]
    public void Pods_may_do_no_more_than_they_need(string overlay)
    {
        var manifests = Manifests.Render(overlay);
        var pod = manifests.PodSpec["securityContext"]!;
        Assert.True(pod["runAsNonRoot"]!.GetValue<bool>());
        Assert.NotEqual(0, pod["runAsUser"]!.GetValue<int>());
        Assert.Equal("RuntimeDefault", pod["seccompProfile"]!["type"]!.ToString());
        Assert.False(manifests.PodSpec["automountServiceAccountToken"]!.GetValue<bool>());
        var container = manifests.Container["securityContext"]!;
        Assert.True(container["readOnlyRootFilesystem"]!.GetValue<bool>());
        Assert.False(container["allowPrivilegeEscalation"]!.GetValue<bool>());
        Assert.Equal(["ALL"], container["capabilities"]!["drop"]!.AsArray().Select(name => name!.ToString()));

        // Every place that is written to is a volume; the rest of the root is read-only.
        Assert.All(
            manifests.Container["volumeMounts"]!.AsArray(),
            mount => Assert.True(Volume(manifests, mount!["name"]!.ToString()) is not null || HasClaim(manifests, mount["name"]!.ToString())));
        var options = HostConfig.LoadGood(manifests.WeirYaml, manifests.Environment()).Options;
        var written = new[] { options.Writer.EmbeddedPath, options.Writer.DeadLetterDirectory, options.Ingest.DeadLetters.Directory };
        Assert.All(written.OfType<string>(), path => Assert.StartsWith($"{MountOf(manifests, "data")}/", path, StringComparison.Ordinal));
        Assert.Equal(options.Writer.EmbeddedPath is not null, HasClaim(manifests, "data")); // A store outlives its pod.
    }

    [RealPartTheory(RealPart.Kubectl)]
    [MemberData(nameof(Overlays))]
    public void Secrets_come_from_where_they_are_expected_and_are_in_no_manifest(string overlay)
    {
        var manifests = Manifests.Render(overlay);
        Assert.Null(manifests.Find("Secret"));
        var secrets = Manifests.Parse(File.ReadAllText(RepositoryPaths.Of("k8s", "group", "secrets.example.yaml")))
            .ToDictionary(secret => secret["metadata"]!["name"]!.ToString(), secret => secret["stringData"]!.AsObject());

        foreach (var variable in manifests.Container["env"]!.AsArray())
        {
            if (variable!["valueFrom"]?["secretKeyRef"] is { } reference)
            {
                Assert.Contains(reference["key"]!.ToString(), secrets[reference["name"]!.ToString()].Select(pair => pair.Key));
            }
        }

        var volume = Volume(manifests, "secrets")!["secret"]!;
        var keys = secrets[volume["secretName"]!.ToString()].Select(pair => pair.Key).ToList();
        var files = volume["items"]?.AsArray().ToDictionary(item => item!["path"]!.ToString(), item => item!["key"]!.ToString()) ?? [];
        Assert.All(files.Values, key => Assert.Contains(key, keys));
        var directory = MountOf(manifests, "secrets");
        foreach (Match match in SecretPath().Matches(manifests.WeirYaml))
        {
            Assert.Equal(directory, match.Groups[1].Value);
            Assert.Contains(match.Groups[2].Value, files.Keys);
        }

        var loaded = HostConfig.LoadGood(manifests.WeirYaml, []);
        Assert.Equal("", loaded.Options.Writer.Password);
        Assert.DoesNotContain(loaded.Options.Ingest.KafkaProperties.Keys, KafkaPropertiesSpec.IsSecretProperty);
    }

    [RealPartTheory(RealPart.Kubectl)]
    [MemberData(nameof(Overlays))]
    public void The_network_policy_lets_out_what_the_configuration_names(string overlay)
    {
        var manifests = Manifests.Render(overlay);
        var options = HostConfig.LoadGood(manifests.WeirYaml, manifests.Environment()).Options;
        var open = manifests.The("NetworkPolicy")["spec"]!["egress"]!.AsArray()
            .Where(rule => rule!["to"] is null)
            .SelectMany(rule => rule!["ports"]!.AsArray())
            .Select(port => port!["port"]!.GetValue<int>())
            .ToHashSet();
        var brokers = options.Ingest.Bootstrap.Split(',').Select(broker => int.Parse(broker[(broker.LastIndexOf(':') + 1)..], System.Globalization.CultureInfo.InvariantCulture));
        var servers = options.Writer.EmbeddedPath is null ? options.Writer.Servers.Select(server => server.Port) : [];

        Assert.All(brokers.Concat(servers), port => Assert.Contains(port, open));
    }

    [RealPartTheory(RealPart.Kubectl)]
    [InlineData("prod", "ScaledObject", "minReplicaCount", "maxReplicaCount")]
    [InlineData("prod-hpa", "HorizontalPodAutoscaler", "minReplicas", "maxReplicas")]
    public void The_autoscaler_goes_by_lag_and_cpu_slowly_down_and_never_above_the_partitions(
        string overlay, string kind, string min, string max)
    {
        var manifests = Manifests.Render(overlay);
        var scaler = manifests.The(kind);
        var spec = scaler["spec"]!;
        var target = spec["scaleTargetRef"]!;
        Assert.Equal(("apps/v1", "StatefulSet", "weir"), (target["apiVersion"]!.ToString(), target["kind"]!.ToString(), target["name"]!.ToString()));
        Assert.Null(manifests.The("StatefulSet")["spec"]!["replicas"]);
        Assert.InRange(spec[max]!.GetValue<int>(), spec[min]!.GetValue<int>(), int.Parse(
            scaler["metadata"]!["annotations"]!["weir/partitions"]!.ToString(), System.Globalization.CultureInfo.InvariantCulture));
        var behavior = spec["behavior"] ?? spec["advanced"]!["horizontalPodAutoscalerConfig"]!["behavior"]!;
        Assert.True(behavior["scaleDown"]!["stabilizationWindowSeconds"]!.GetValue<int>() >= 600);
        Assert.Equal(1, Assert.Single(behavior["scaleDown"]!["policies"]!.AsArray())!["value"]!.GetValue<int>());
        Assert.Equal(2, (spec["triggers"] ?? spec["metrics"])!.AsArray().Count);

        // Both ask the same, and only for metrics that weir has.
        var keda = Manifests.Render("prod").The("ScaledObject")["spec"]!["triggers"]![0]!["metadata"]!["query"]!.ToString().Trim();
        Assert.Contains(keda, File.ReadAllText(RepositoryPaths.Of("k8s", "autoscale", "hpa", "horizontalpodautoscaler.yaml")), StringComparison.Ordinal);
        var known = File.ReadAllText(RepositoryPaths.Of("docs", "metrics.md"));
        var asked = MetricName().Matches(keda);
        Assert.NotEmpty(asked);
        Assert.All(asked, name => Assert.Contains($"| `{name.Value}` |", known, StringComparison.Ordinal));
    }

    private static (int Code, string Output, string Error) CheckApi(JsonArray objects)
    {
        var file = Path.GetTempFileName();
        try
        {
            File.WriteAllText(file, new JsonArray([.. objects.Select(found => found!.DeepClone())]).ToJsonString());
            return Manifests.TryRun(
                "node", RepositoryPaths.Of("tests", "Deploy", "schemas", "check.mjs"), RepositoryPaths.Of(".native", "kubernetes-api"), file);
        }
        finally
        {
            File.Delete(file);
        }
    }

    private static string AdminSource() =>
        string.Concat(Directory.EnumerateFiles(RepositoryPaths.Of("src", "Host", "Admin"), "*.cs").Select(File.ReadAllText));

    private static JsonNode MountNode(Manifests manifests, string name) =>
        Assert.Single(manifests.Container["volumeMounts"]!.AsArray(), mount => mount!["name"]!.ToString() == name)!;

    private static string MountOf(Manifests manifests, string name) => MountNode(manifests, name)["mountPath"]!.ToString();

    private static JsonNode? Volume(Manifests manifests, string name) =>
        manifests.PodSpec["volumes"]!.AsArray().SingleOrDefault(volume => volume!["name"]!.ToString() == name);

    private static bool HasClaim(Manifests manifests, string name) =>
        manifests.The("StatefulSet")["spec"]!["volumeClaimTemplates"]?.AsArray().Any(claim => claim!["metadata"]!["name"]!.ToString() == name) == true;

    [GeneratedRegex(@"(/run/secrets/\w+)/([\w.-]+)")]
    private static partial Regex SecretPath();

    [GeneratedRegex(@"\bweir_[a-z_]+\b")]
    private static partial Regex MetricName();
}
