using System.Collections;

namespace Weir.Host.Commands;

/// <summary>What a command sees of the process around it; tests give their own.</summary>
internal sealed record CommandContext
{
    /// <summary>Results for people.</summary>
    public required TextWriter Output { get; init; }

    /// <summary>Results as bytes, such as the rows of a query. The same place as <see cref="Output"/>.</summary>
    public required Stream OutputStream { get; init; }

    /// <summary>Errors and progress.</summary>
    public required TextWriter Error { get; init; }

    /// <summary>Environment variables.</summary>
    public required IReadOnlyDictionary<string, string> Environment { get; init; }

    /// <summary>True when a person looks at <see cref="Output"/>.</summary>
    public bool IsOutputTerminal { get; init; }

    /// <summary>True when colour may be used: on a terminal, and not where NO_COLOR is set.</summary>
    public bool HasColour => IsOutputTerminal && !(Environment.TryGetValue("NO_COLOR", out var value) && value.Length > 0);

    /// <summary>Makes the signal that a long-running command waits for; it takes the process's signals until it is disposed.</summary>
    public required Func<ShutdownSignal> OpenShutdownSignal { get; init; }

    /// <summary>The context of this process.</summary>
    public static CommandContext OfProcess() => new()
    {
        Output = Console.Out,
        OutputStream = Console.OpenStandardOutput(),
        Error = Console.Error,
        Environment = System.Environment.GetEnvironmentVariables()
            .Cast<DictionaryEntry>()
            .ToDictionary(entry => (string)entry.Key, entry => (string?)entry.Value ?? "", StringComparer.Ordinal),
        IsOutputTerminal = !Console.IsOutputRedirected,
        OpenShutdownSignal = ShutdownSignal.OfProcess,
    };

    /// <summary>Writes an error as <c>weir: what; what to do</c>.</summary>
    public void WriteError(string text) => Error.WriteLine($"weir: {text}");
}
