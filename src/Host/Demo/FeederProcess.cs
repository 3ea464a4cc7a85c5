using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text.Json;
using Weir.Host.Commands;

namespace Weir.Host.Demo;

/// <summary>The load generator of a demonstration: <c>weir-loadgen replay</c> as a process of its own.</summary>
internal sealed partial class FeederProcess : IDisposable
{
    private const int Interrupt = 2; // SIGINT: it lets the messages on their way arrive and prints its totals.
    private static readonly TimeSpan _stopTimeout = TimeSpan.FromSeconds(10);

    private readonly Process _process;
    private readonly Task<string> _totals;
    private readonly Task<string> _words;

    private FeederProcess(Process process)
    {
        _process = process;
        _totals = process.StandardOutput.ReadToEndAsync();
        _words = process.StandardError.ReadToEndAsync();
    }

    /// <summary>True when it has ended.</summary>
    public bool HasExited => _process.HasExited;

    /// <summary>Starts it.</summary>
    /// <param name="program">Path of weir-loadgen.dll.</param>
    /// <param name="arguments">Its arguments.</param>
    public static FeederProcess Start(string program, IReadOnlyList<string> arguments)
    {
        var own = Environment.ProcessPath;
        var dotnet = own is not null && Path.GetFileNameWithoutExtension(own) == "dotnet" ? own : "dotnet";
        var start = new ProcessStartInfo(dotnet, [program, .. arguments]) { RedirectStandardOutput = true, RedirectStandardError = true };
        return new FeederProcess(Process.Start(start) ?? throw new CommandException("the load generator did not start"));
    }

    /// <summary>Asks it to stop when it has not yet, and waits for its end.</summary>
    /// <returns>Records that the broker has acknowledged.</returns>
    /// <exception cref="CommandException">It failed, or did not end; the message carries its last words.</exception>
    public async Task<long> StopAsync()
    {
        if (!_process.HasExited)
        {
            _ = Kill(_process.Id, Interrupt);
        }

        using var timeout = new CancellationTokenSource(_stopTimeout);
        try
        {
            await _process.WaitForExitAsync(timeout.Token);
        }
        catch (OperationCanceledException)
        {
            _process.Kill();
            throw new CommandException($"the load generator did not stop within {(int)_stopTimeout.TotalSeconds} s");
        }

        if (_process.ExitCode != 0)
        {
            throw new CommandException($"the load generator failed with code {_process.ExitCode}: {(await _words).Trim()}");
        }

        using var totals = JsonDocument.Parse(await _totals);
        return totals.RootElement.GetProperty("records").GetInt64();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
        }

        _process.Dispose();
    }

    [LibraryImport("libc", EntryPoint = "kill")]
    private static partial int Kill(int processId, int signal);
}
