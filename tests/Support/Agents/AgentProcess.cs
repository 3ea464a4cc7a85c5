using System.Diagnostics;
using System.Globalization;
using System.Text;

namespace Weir.Tests.Support.Agents;

/// <summary>A real program that a test runs: its output is kept, and it is gone when the test is.</summary>
internal sealed class AgentProcess : IDisposable
{
    private static readonly TimeSpan _stopTimeout = TimeSpan.FromSeconds(8);

    private readonly Process _process;
    private readonly StringBuilder _output = new();
    private readonly string _name;

    private AgentProcess(string program, IReadOnlyList<string> arguments)
    {
        _name = program;
        var start = new ProcessStartInfo(RealParts.RequireProgram(program), arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        _process = new Process { StartInfo = start };
        _process.OutputDataReceived += Keep;
        _process.ErrorDataReceived += Keep;
        _process.Start();
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }

    /// <summary>What the program has printed so far, both streams.</summary>
    public string Output
    {
        get
        {
            lock (_output)
            {
                return _output.ToString();
            }
        }
    }

    /// <summary>Starts a program of the PATH or of the sbin directories.</summary>
    public static AgentProcess Start(string program, params string[] arguments) => new(program, arguments);

    /// <summary>Runs a program to its end and returns its stdout.</summary>
    /// <exception cref="InvalidOperationException">It failed; the message has its stderr.</exception>
    public static string Run(string program, params string[] arguments)
    {
        var start = new ProcessStartInfo(RealParts.RequireProgram(program), arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        using var process = Process.Start(start)!;
        Task<string> error = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode == 0
            ? output
            : throw new InvalidOperationException($"{program} {string.Join(' ', arguments)} ended with {process.ExitCode}: {error.Result}");
    }

    /// <summary>Waits until the program has printed a text.</summary>
    public void WaitFor(string text) => Eventually.True(
        () => Output.Contains(text, StringComparison.Ordinal), () => $"{_name} printing '{text}'; it printed: {Output}");

    /// <summary>SIGINT, which the agents of pmacct obey where they ignore SIGTERM; SIGKILL when that does not help in time.</summary>
    public void Stop()
    {
        if (_process.HasExited)
        {
            return;
        }

        Run("kill", "-INT", _process.Id.ToString(CultureInfo.InvariantCulture));
        if (!_process.WaitForExit(_stopTimeout))
        {
            _process.Kill(entireProcessTree: true);
            _process.WaitForExit();
        }
    }

    /// <summary>Waits for the program's own end.</summary>
    public void WaitForExit()
    {
        if (!_process.WaitForExit(_stopTimeout))
        {
            throw new InvalidOperationException($"{_name} did not end within {_stopTimeout}; it printed: {Output}");
        }
    }

    /// <summary>Ends the program at once if it still runs.</summary>
    public void Dispose()
    {
        if (!_process.HasExited)
        {
            _process.Kill(entireProcessTree: true);
            _process.WaitForExit();
        }

        _process.Dispose();
    }

    private void Keep(object sender, DataReceivedEventArgs line)
    {
        lock (_output)
        {
            _output.AppendLine(line.Data);
        }
    }
}
