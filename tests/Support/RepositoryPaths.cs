namespace Weir.Tests.Support;

/// <summary>Where the repository of this build lies.</summary>
internal static class RepositoryPaths
{
    /// <summary>The directory that holds Pipeline.sln.</summary>
    public static string Root { get; } = FindRoot();

    /// <summary>An absolute path from one that is relative to the root.</summary>
    public static string Of(params string[] parts) => Path.GetFullPath(Path.Combine([Root, .. parts]));

    private static string FindRoot()
    {
        for (DirectoryInfo? directory = new(AppContext.BaseDirectory); directory is not null; directory = directory.Parent)
        {
            if (File.Exists(Path.Combine(directory.FullName, "Pipeline.sln")))
            {
                return directory.FullName;
            }
        }

        throw new DirectoryNotFoundException($"No Pipeline.sln above {AppContext.BaseDirectory}: run the tests from their own build output.");
    }
}
