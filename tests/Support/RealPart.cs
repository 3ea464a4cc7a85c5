namespace Weir.Tests.Support;

/// <summary>A program, library or file that is not part of this repository and that a test uses for real.</summary>
public enum RealPart
{
    /// <summary>Debian's <c>clickhouse-server</c> 18.16.</summary>
    ClickHouseServer,

    /// <summary>Debian's <c>clickhouse-client</c>.</summary>
    ClickHouseClient,

    /// <summary>ClickHouse in-process, <c>.native/libchdb.so</c>.</summary>
    EmbeddedClickHouse,

    /// <summary>librdkafka with its mock cluster, beside the test assembly.</summary>
    LocalRdkafka,

    /// <summary>Debian's <c>zookeeper</c>, which replicated tables of <c>clickhouse-server</c> need.</summary>
    ZooKeeper,

    /// <summary><c>kcat</c>.</summary>
    Kcat,

    /// <summary><c>pmacctd</c>, flow agent.</summary>
    Pmacctd,

    /// <summary><c>softflowd</c>, NetFlow exporter.</summary>
    Softflowd,

    /// <summary><c>nfacctd</c>, NetFlow collector that writes to Kafka.</summary>
    Nfacctd,

    /// <summary><c>tshark</c>, the independent judge of a capture.</summary>
    Tshark,

    /// <summary><c>tcpdump</c>, allowed to capture on the loopback interface.</summary>
    PacketCapture,

    /// <summary><c>jq</c> and <c>awk</c>, the independent judges of JSON.</summary>
    Jq,

    /// <summary><c>kubectl</c>, which renders manifests.</summary>
    Kubectl,

    /// <summary>Types of the Kubernetes API from npm, <c>.native/kubernetes-api</c>, and <c>node</c>.</summary>
    KubernetesApi,

    /// <summary>Debian's <c>nginx</c>, which ends TLS before a server that has none.</summary>
    Nginx,

    /// <summary>A Chromium that runs without a screen.</summary>
    Chromium,

    /// <summary>Debian's <c>prometheus</c>, with <c>promtool</c>.</summary>
    Prometheus,

    /// <summary>A file system of a few MiB that a test can fill: root, and the right to mount one. It cannot be installed, as below.</summary>
    SmallDisk,

    /// <summary>
    /// The recorded data set beside the repository, <c>../shared/data/pmacct-flows.ndjson.zst</c>. It is no part of any installation:
    /// absent means skipped everywhere, in CI as well.
    /// </summary>
    SampleData,
}

/// <summary>Says which real parts this machine has.</summary>
public static class RealParts
{
    /// <summary>The file of <see cref="RealPart.SampleData"/>, whether it is there or not.</summary>
    public static string SampleDataFile { get; } = RepositoryPaths.Of("..", "shared", "data", "pmacct-flows.ndjson.zst");

    /// <summary>True where a part that is missing has to fail its tests instead of skipping them.</summary>
    public static bool AreMandatory { get; } =
        string.Equals(Environment.GetEnvironmentVariable("CI"), "true", StringComparison.OrdinalIgnoreCase);

    /// <summary>Whether the part is there.</summary>
    public static bool IsPresent(RealPart part) => part switch
    {
        RealPart.ClickHouseServer => FindProgram("clickhouse-server") is not null,
        RealPart.ClickHouseClient => FindProgram("clickhouse-client") is not null,
        RealPart.EmbeddedClickHouse => File.Exists(RepositoryPaths.Of(".native", "libchdb.so")),
        RealPart.LocalRdkafka => HasRdkafka(),
        RealPart.Kcat => FindProgram("kcat") is not null,
        RealPart.ZooKeeper => File.Exists(ZooKeeperServer.Jar) && FindProgram("java") is not null,
        RealPart.Pmacctd => FindProgram("pmacctd") is not null,
        RealPart.Softflowd => FindProgram("softflowd") is not null,
        RealPart.Nfacctd => FindProgram("nfacctd") is not null,
        RealPart.Tshark => FindProgram("tshark") is not null,
        RealPart.PacketCapture => FindProgram("tcpdump") is not null && Environment.IsPrivilegedProcess,
        RealPart.Jq => FindProgram("jq") is not null && FindProgram("awk") is not null && FindProgram("zstd") is not null,
        RealPart.Kubectl => FindProgram("kubectl") is not null,
        RealPart.KubernetesApi => FindProgram("node") is not null && Directory.Exists(RepositoryPaths.Of(".native", "kubernetes-api")),
        RealPart.Nginx => FindProgram("nginx") is not null,
        RealPart.Chromium => FindProgram("chromium") is not null,
        RealPart.Prometheus => FindProgram("prometheus") is not null && FindProgram("promtool") is not null,
        RealPart.SmallDisk => SmallDisk.CanMount,
        RealPart.SampleData => File.Exists(SampleDataFile),
        _ => throw new ArgumentOutOfRangeException(nameof(part), part, "Not a real part."),
    };

    /// <summary>Why a test that needs these parts is skipped here, or null when it has to run.</summary>
    public static string? ReasonToSkip(params RealPart[] parts)
    {
        foreach (RealPart part in parts)
        {
            if (!IsPresent(part) && (!AreMandatory || part is RealPart.SampleData or RealPart.SmallDisk))
            {
                return part == RealPart.SampleData
                    ? "The sample data set is not beside this repository."
                    : part == RealPart.SmallDisk
                    ? "This user may not mount a small disk."
                    : $"This machine has no {part}: scripts/setup.sh --all installs it. With CI=true this is a failure.";
            }
        }

        return null;
    }

    /// <summary>The full path of a program, or null. Looks into the sbin directories too, which a user's PATH often leaves out.</summary>
    public static string? FindProgram(string name)
    {
        string path = Environment.GetEnvironmentVariable("PATH") ?? string.Empty;
        foreach (string directory in (path + ":/usr/local/sbin:/usr/sbin:/sbin").Split(':', StringSplitOptions.RemoveEmptyEntries))
        {
            string candidate = Path.Combine(directory, name);
            if (File.Exists(candidate))
            {
                return candidate;
            }
        }

        return null;
    }

    /// <summary>The full path of a program that has to be there.</summary>
    /// <exception cref="FileNotFoundException">It is not installed; the message says what installs it.</exception>
    public static string RequireProgram(string name) => FindProgram(name)
        ?? throw new FileNotFoundException($"{name} is not installed: scripts/setup.sh --all installs it.", name);

    // Built from source it lies beside the assembly; from the redist package it lies below runtimes/.
    private static bool HasRdkafka() =>
        File.Exists(Path.Combine(AppContext.BaseDirectory, "librdkafka.so"))
        || (Directory.Exists(Path.Combine(AppContext.BaseDirectory, "runtimes"))
            && Directory.EnumerateFiles(Path.Combine(AppContext.BaseDirectory, "runtimes"), "librdkafka*", SearchOption.AllDirectories).Any());
}
