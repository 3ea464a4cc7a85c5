namespace Weir.Bench.Processes;

/// <summary>Where the repository is that this program was built in, and the programs that were built beside it.</summary>
internal static class RepositoryRoot
{
    private static readonly Lazy<string?> _path = new(Find);

    /// <summary>The directory; null when the program was moved elsewhere.</summary>
    public static string? DirectoryPath => _path.Value;

    /// <summary>The Release build of <c>weir</c>.</summary>
    /// <param name="reason">Why there is none; null when there is.</param>
    public static string? FindWeir(out string? reason)
    {
        var program = Path.Combine(DirectoryPath ?? "", "src", "Host", "bin", "Release", "net10.0", "weir.dll");
        reason = File.Exists(program) 
            ? null
            : "the Release build of weir is missing: start the benchmarks with ./weir-bench, which builds it";
        return reason is null ? program : null;
    }

    private static string? Find()
    {
        for (var directory = new DirectoryInfo(AppContext.BaseDirectory); directory is not null; directory = directory.Parent)
        {
            if (File.Exists(Path.Combine(directory.FullName, "Pipeline.sln")))
            {
                return directory.FullName;
            }
        }

        return null;
    }
}
