using Microsoft.Extensions.Logging;
using Weir.Core.Telemetry;

namespace Weir.Writer;

/// <summary>
/// Mends what the embedded engine leaves behind when it is killed, or its disk is full, while it writes a definition: a file without a
/// byte, with which it does not start again.
/// </summary>
internal static class EmptyDefinitions
{
    private const string Suffix = ".sql";

    /// <summary>Mends a store that no process has open.</summary>
    /// <param name="store">Its directory.</param>
    /// <param name="logger">Told of each; null for nobody.</param>
    /// <exception cref="SinkUnusableException">A definition cannot be written: the disk is still full.</exception>
    public static void Mend(string store, ILogger? logger)
    {
        try
        {
            foreach (var file in Empty(Path.Combine(store, "metadata"), SearchOption.TopDirectoryOnly))
            {
                if (!Restore(file, logger))
                {
                    SetAside(store, file, logger);
                }
            }

            foreach (var file in Empty(Path.Combine(store, "store"), SearchOption.AllDirectories))
            {
                SetAside(store, file, logger);
            }
        }
        catch (IOException error)
        {
            throw new SinkUnusableException($"clickhouse.embedded: {error.Message}; free space on the disk of {store}", error);
        }
    }

    private static List<FileInfo> Empty(string directory, SearchOption depth) => Directory.Exists(directory)
        ? [.. new DirectoryInfo(directory).EnumerateFiles("*" + Suffix, depth).Where(file => file.Length == 0)]
        : [];

    /// <summary>A database's definition is no more than its number, which the link to its tables bears, too.</summary>
    private static bool Restore(FileInfo file, ILogger? logger)
    {
        var tables = new DirectoryInfo(file.FullName[..^Suffix.Length]);
        if (tables.LinkTarget is not { } target || !Guid.TryParseExact(Path.GetFileName(target), "D", out var id))
        {
            return false;
        }

        var draft = file.FullName + ".tmp";
        File.WriteAllText(draft, $"ATTACH DATABASE _ UUID '{id:D}'\nENGINE = Atomic\n");
        File.Move(draft, file.FullName, overwrite: true);
        if (logger is not null)
        {
            WeirLog.WriterDefinitionRestored(logger, file.FullName);
        }

        return true;
    }

    /// <summary>Out of the engine's directories: it wants nothing there that is not its own.</summary>
    private static void SetAside(string store, FileInfo file, ILogger? logger)
    {
        var directory = Directory.CreateDirectory(Path.Combine(store, "weir_empty_definitions", file.Directory!.Name));
        var aside = Path.Combine(directory.FullName, file.Name);
        File.Move(file.FullName, aside, overwrite: true);
        if (logger is not null)
        {
            WeirLog.WriterDefinitionEmpty(logger, file.FullName, aside);
        }
    }
}
