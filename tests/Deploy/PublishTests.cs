using System.Text.RegularExpressions;
using Weir.Tests.Support;
using Xunit;

namespace Weir.Tests.Deploy;

/// <summary>What can be said of the image without building it: Dockerfile, manifests and program agree.</summary>
public partial class PublishTests
{
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
        Assert.Contains(".native/libchdb.so", _dockerfile, StringComparison.Ordinal);
        Assert.Contains(".native/librdkafka.so", _dockerfile, StringComparison.Ordinal);
    }

    [Fact]
    public void The_image_of_the_manifests_has_the_version_of_the_program()
    {
        var version = Version().Match(File.ReadAllText(RepositoryPaths.Of("Directory.Build.props"))).Groups[1].Value;
        Assert.Contains($"newTag: {version}\n", File.ReadAllText(RepositoryPaths.Of("k8s", "base", "kustomization.yaml")), StringComparison.Ordinal);
    }

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
