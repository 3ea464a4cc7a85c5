using System.CommandLine;
using Weir.Host.Options;

namespace Weir.Host.Commands;

/// <summary>The option <c>-c</c> and what follows from it: read, and tell everything that is wrong.</summary>
internal static class ConfigOption
{
    /// <summary>Read when no file is named and it is there.</summary>
    public const string DefaultFile = "weir.yaml";

    /// <summary>A new option for one command.</summary>
    public static Option<string?> Create() => new("--config", "-c")
    {
        Description = $"Configuration file; without it {DefaultFile} where there is one, else the defaults. "
            + "WEIR__… variables win over it.",
        HelpName = "FILE",
    };

    /// <summary>Reads the configuration and writes warnings and errors; null when there is an error.</summary>
    public static LoadedOptions? Load(string? file, CommandContext context)
    {
        if (Read(file, context) is not { } loaded)
        {
            return null;
        }

        foreach (var warning in loaded.Warnings)
        {
            context.WriteError($"warning: {warning}");
        }

        return WriteErrors(loaded, context) ? null : loaded;
    }

    /// <summary>Reads the configuration without a word about its contents; null when the file cannot be read, which is told.</summary>
    public static LoadedOptions? Read(string? file, CommandContext context)
    {
        var path = file ?? DefaultFile;
        var text = "";
        try
        {
            if (file is not null || File.Exists(path))
            {
                text = File.ReadAllText(path);
            }
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            context.WriteError($"the configuration {path} cannot be read ({error.Message}); name another file with -c");
            return null;
        }

        return OptionsLoader.Load(text, path, context.Environment);
    }

    /// <summary>The text of the configuration; empty where there is none, null where it cannot be read now.</summary>
    public static string? ReadText(string? file)
    {
        try
        {
            return file is not null || File.Exists(DefaultFile) ? File.ReadAllText(file ?? DefaultFile) : "";
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>Writes each error; true when there is one.</summary>
    public static bool WriteErrors(LoadedOptions loaded, CommandContext context)
    {
        foreach (var error in loaded.Errors)
        {
            context.WriteError(error.ToString());
        }

        if (loaded.Errors.Count > 0)
        {
            context.WriteError($"the configuration has {loaded.Errors.Count} error{(loaded.Errors.Count == 1 ? "" : "s")}; "
                + "docs/configuration.md describes each option");
        }

        return loaded.Errors.Count > 0;
    }
}
