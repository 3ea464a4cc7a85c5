using System.Reflection;
using System.Text.RegularExpressions;
using Weir.Tests.EndToEnd;
using Weir.Tests.Support;
using Xunit;

namespace Weir.Tests.Deploy;

/// <summary>
/// What can be said of the image without building it: Dockerfile, manifests and program agree, and what it copies runs as a pod has it run.
/// </summary>
[Collection(ProcessesCollection.Name)]
public partial class PublishTests
{
    private const int RecordCount = 2_000;

    /// <summary>Everything is read-only but two directories, as in a pod; nobody is root, and nobody can become it.</summary>
    private const string Pod = """
        set -e
        mount -o remount,bind,ro /
        for directory in "$TMPDIR" "$WEIR_HOME"; do mount -t tmpfs -o mode=1777 pod "$directory"; done
        cd "$WEIR_HOME"
        exec setpriv --reuid 65532 --regid 65532 --clear-groups --no-new-privs --bounding-set=-all --inh-caps=-all "$@"
        """;

    private static readonly string _dockerfile = File.ReadAllText(RepositoryPaths.Of("Dockerfile"));

    [Fact]
    public void The_image_runs_the_program_as_the_user_of_the_manifests_on_the_port_of_the_manifests()
    {
        var statefulSet = File.ReadAllText(RepositoryPaths.Of("k8s", "base", "statefulset.yaml"));
        var user = User().Match(_dockerfile);
        Assert.True(user.Success && user.Groups[1].Value != "0", "The image does not run as root.");
        Assert.Contains($"runAsUser: {user.Groups[1].Value}\n", statefulSet, StringComparison.Ordinal);
        Assert.Contains($"containerPort: {Port().Match(_dockerfile).Groups[1].Value}\n", statefulSet, StringComparison.Ordinal);
        Assert.Contains("ENTRYPOINT [\"/app/weir\"]", _dockerfile, StringComparison.Ordinal);
        Assert.Contains("CMD [\"run\", \"-c\", \"/etc/weir/weir.yaml\"]", _dockerfile, StringComparison.Ordinal);
        Assert.Contains("<ContainerUser>65532:65532</ContainerUser>", HostProject(), StringComparison.Ordinal);
    }

    [Fact]
    public void The_image_has_the_native_libraries_that_setup_installs()
    {
        var setup = File.ReadAllText(RepositoryPaths.Of("scripts", "setup.sh"));
        var packages = RuntimePackages().Match(setup).Groups[1].Value.Split(' ');
        Assert.NotEmpty(packages);
        Assert.All(packages, package => Assert.Contains(package, _dockerfile, StringComparison.Ordinal));
        Assert.Contains(".native/librdkafka.so", _dockerfile, StringComparison.Ordinal);
    }

    [Fact]
    public void The_image_of_the_manifests_has_the_version_of_the_program()
    {
        Assert.Contains($"newTag: {ProgramVersion()}\n", File.ReadAllText(RepositoryPaths.Of("k8s", "base", "kustomization.yaml")), StringComparison.Ordinal);
    }

    [RealPartFact(RealPart.LocalRdkafka, RealPart.EmbeddedClickHouse)]
    public async Task What_the_image_copies_runs_as_nobody_on_a_read_only_root()
    {
        using var bed = await PipelineBed.StartAsync("flows:1");
        var directory = Directory.CreateTempSubdirectory("weir-image-");
        try
        {
            var app = await PublishAsync(directory);
            var runtime = Assert.Single(Directory.EnumerateDirectories(Path.Combine(app, "runtimes")));
            Assert.StartsWith("linux-", Path.GetFileName(runtime), StringComparison.Ordinal);
            Assert.Null(new FileInfo(Path.Combine(app, "libchdb.so")).LinkTarget); // The image has no cache that a link could lead to.

            var config = Path.Combine(app, "weir.yaml");
            var store = Path.Combine(directory.FullName, "home", "store");
            File.Copy(bed.Configure($"embedded: {store}", [("flows", "weir")]), config);
            bed.Produce("flows", 1, FlowFeed.Messages("weir", FlowFeed.Make("weir", 1, RecordCount), 100));
            var run = await WeirRun.OfAsync(directory.FullName, config, StartAsPod(directory, Path.Combine(app, "weir"), "run", "-c", config));
            using (run)
            {
                await bed.StoredAsync(run);
                Assert.Equal($"{RecordCount}\n", await run.PageAsync("query?query=SELECT+sum(records)+FROM+edge_1s"));
                Assert.Equal(!SmallDisk.CanMount, Directory.Exists(store)); // It is in the pod's own.
                run.Process.Signal("TERM");
                Assert.True(await run.Process.ExitCodeAsync() == 0, run.Process.ErrorText);
            }

            using var version = StartAsPod(directory, Path.Combine(app, "weir"), "--version");
            Assert.Equal(0, await version.ExitCodeAsync());
            Assert.Equal($"{ProgramVersion()}\n", version.OutputText);
        }
        finally
        {
            directory.Delete(recursive: true);
        }
    }

    /// <summary>What Dockerfile copies into the image, of this build.</summary>
    private static async Task<string> PublishAsync(DirectoryInfo directory)
    {
        Assert.Contains("dotnet publish src/Host -c Release -o /app --nologo -p:WeirImage=true", _dockerfile, StringComparison.Ordinal);
        Manifests.Run("chmod", "755", directory.FullName);
        var app = Path.Combine(directory.FullName, "app");
        var configuration = typeof(PublishTests).Assembly.GetCustomAttribute<AssemblyConfigurationAttribute>()!.Configuration;
        var alone = new Dictionary<string, string> { ["MSBUILDDISABLENODEREUSE"] = "1", ["DOTNET_CLI_USE_MSBUILD_SERVER"] = "0" };
        using var publish = ProgramProcess.StartOther(
            "dotnet", RepositoryPaths.Of(), alone, "publish", "src/Host", "-c", configuration, "-o", app, "--nologo", "--no-build", "-p:WeirImage=true");
        Assert.True(await publish.ExitCodeAsync(TimeSpan.FromMinutes(5)) == 0, publish.OutputText + publish.ErrorText);
        return app;
    }

    /// <summary>Without the right to mount, as the user that the tests have, who is not root then.</summary>
    private static ProgramProcess StartAsPod(DirectoryInfo directory, params string[] command)
    {
        var environment = new Dictionary<string, string>
        {
            ["HOME"] = "/nonexistent",
            ["TMPDIR"] = directory.CreateSubdirectory("tmp").FullName,
            ["WEIR_HOME"] = directory.CreateSubdirectory("home").FullName,
        };
        return SmallDisk.CanMount
            ? ProgramProcess.StartOther("unshare", directory.FullName, environment, ["-m", "sh", "-c", Pod, "pod", .. command])
            : ProgramProcess.StartOther(command[0], environment["WEIR_HOME"], environment, command[1..]);
    }

    private static string ProgramVersion() => Version().Match(File.ReadAllText(RepositoryPaths.Of("Directory.Build.props"))).Groups[1].Value;

    private static string HostProject() => File.ReadAllText(RepositoryPaths.Of("src", "Host", "Weir.Host.csproj"));

    [GeneratedRegex(@"^USER (\d+):\d+$", RegexOptions.Multiline)]
    private static partial Regex User();

    [GeneratedRegex(@"^EXPOSE (\d+)$", RegexOptions.Multiline)]
    private static partial Regex Port();

    [GeneratedRegex(@"^readonly runtime_packages=\((.*)\)$", RegexOptions.Multiline)]
    private static partial Regex RuntimePackages();

    [GeneratedRegex("<VersionPrefix>(.*)</VersionPrefix>")]
    private static partial Regex Version();
}
