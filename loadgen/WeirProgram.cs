using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;

namespace Weir.Loadgen;

/// <summary>A <c>weir</c> process that this program has started: a broker, or a pipeline.</summary>
/// <remarks>It is killed with this object when it still runs.</remarks>
public sealed partial class WeirProgram : IDisposable
{
    private const string SessionProgram = "/usr/bin/setsid";
    private const int SignalKill = 9;
    private const int SignalTerminate = 15;
    private static readonly TimeSpan _exitTimeout = TimeSpan.FromSeconds(90);
    private static readonly ConcurrentDictionary<WeirProgram, bool> _running = [];

    private readonly Process _process;
    private readonly StringBuilder _errors = new();
    private readonly Task _errorRead;
    private readonly Task<string> _outputRead;

    private WeirProgram(Process process)
    {
        _process = process;
        _running[this] = true;
        _outputRead = process.StandardOutput.ReadToEndAsync();
        _errorRead = ReadErrorsAsync();
    }

    /// <summary>Number of the process.</summary>
    public int Id => _process.Id;

    /// <summary>True when it has ended.</summary>
    public bool HasExited => _process.HasExited;

    /// <summary>What it has written to stderr.</summary>
    public string Errors
    {
        get
        {
            lock (_errors)
            {
                return _errors.ToString();
            }
        }
    }

    /// <summary>Finds the program: what was asked for, else beside this one, else the repository's own.</summary>
    /// <exception cref="FileNotFoundException">It is nowhere.</exception>
    public static string Find(string? path)
    {
        if (path is not null)
        {
            return File.Exists(path) ? Path.GetFullPath(path) : throw new FileNotFoundException($"There is no {path}.");
        }

        var beside = Path.Combine(AppContext.BaseDirectory, "weir");
        if (File.Exists(beside))
        {
            return beside;
        }

        for (var directory = new DirectoryInfo(AppContext.BaseDirectory); directory is not null; directory = directory.Parent)
        {
            var script = Path.Combine(directory.FullName, "weir");
            if (File.Exists(script) && File.Exists(Path.Combine(directory.FullName, "Pipeline.sln")))
            {
                return script;
            }
        }

        throw new FileNotFoundException("weir is neither beside this program nor above it: --weir PATH says where it is.");
    }

    /// <summary>Starts it.</summary>
    public static WeirProgram Start(
        string program, IReadOnlyList<string> arguments, IReadOnlyDictionary<string, string>? environment = null)
    {
        var isAssembly = program.EndsWith(".dll", StringComparison.Ordinal);
        IReadOnlyList<string> command = isAssembly ? ["dotnet", program, .. arguments] : [program, .. arguments];
        if (File.Exists(SessionProgram))
        {
            command = [SessionProgram,
                .. command]; // A session of its own: Ctrl-C in the terminal is for this program, which then stops it in its turn.
        }

        var start = new ProcessStartInfo(command[0], command.Skip(1))
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        if (Environment.ProcessPath is { } own && Path.GetFileNameWithoutExtension(own) == "dotnet")
        {
            start.Environment["DOTNET_ROOT"] = Path.GetDirectoryName(own);
        }

        foreach (var (name, value) in environment ?? new Dictionary<string, string>())
        {
            start.Environment[name] = value;
        }

        return new WeirProgram(Process.Start(start) ?? throw new IOException($"{program} did not start."));
    }

    /// <summary>Starts a broker in memory and waits until it is ready.</summary>
    /// <param name="program">From <see cref="Find"/>.</param>
    /// <param name="directory">Where its port file goes.</param>
    /// <param name="topics">Such as flows:4.</param>
    /// <param name="cancellation">Stops waiting.</param>
    public static async Task<(WeirProgram Broker, string Bootstrap)> StartBrokerAsync(
        string program, string directory, IEnumerable<string> topics, CancellationToken cancellation)
    {
        var portFile = Path.Combine(directory, "broker.port");
        var broker = Start(program, ["broker", "--port-file", portFile, .. topics.SelectMany(topic => (string[])["--topic", topic])]);
        try
        {
            while (!File.Exists(portFile))
            {
                if (broker.HasExited)
                {
                    throw new IOException($"weir broker ended: {broker.Errors}");
                }

                await Task.Delay(50, cancellation);
            }

            return (broker, (await File.ReadAllTextAsync(portFile, cancellation)).Trim());
        }
        catch
        {
            broker.Dispose();
            throw;
        }
    }

    /// <summary>Runs it to its end.</summary>
    /// <returns>Exit code, stdout and stderr.</returns>
    public static async Task<(int Code, string Output, string Errors)> RunAsync(
        string program, IReadOnlyList<string> arguments, CancellationToken cancellation, IReadOnlyDictionary<string,
            string>? environment = null)
    {
        using var weir = Start(program, arguments, environment);
        return await weir.EndAsync(cancellation);
    }

    /// <summary>Ends all that were started and not disposed of: for a program that must end at once.</summary>
    public static void KillAll()
    {
        foreach (var program in _running.Keys)
        {
            program.Signal(SignalKill);
        }
    }

    /// <summary>Waits for its end.</summary>
    /// <returns>Exit code, stdout and stderr.</returns>
    public async Task<(int Code, string Output, string Errors)> EndAsync(CancellationToken cancellation)
    {
        await _process.WaitForExitAsync(cancellation);
        await _errorRead;
        return (_process.ExitCode, await _outputRead, Errors);
    }

    /// <summary>Asks it to stop and waits for its end.</summary>
    /// <returns>Its exit code.</returns>
    /// <exception cref="IOException">It did not end.</exception>
    public async Task<int> StopAsync()
    {
        Signal(SignalTerminate);
        using var timeout = new CancellationTokenSource(_exitTimeout);
        try
        {
            await _process.WaitForExitAsync(timeout.Token);
        }
        catch (OperationCanceledException)
        {
            throw new IOException($"weir did not stop within {_exitTimeout.TotalSeconds:0} s: {Errors}");
        }

        return _process.ExitCode;
    }

    /// <summary>Kills it, as a crash would.</summary>
    public void Crash()
    {
        Signal(SignalKill);
        _process.WaitForExit();
    }

    /// <summary>Sends a signal.</summary>
    public void Signal(int signal)
    {
        if (!_process.HasExited)
        {
            _ = Kill(_process.Id, signal);
        }
    }

    /// <summary>What it has used so far, as the kernel counts.</summary>
    /// <returns>Null when it has ended.</returns>
    public ProcessBill? ReadBill()
    {
        try
        {
            var fields = File.ReadAllText($"/proc/{_process.Id}/stat").Split(')')[^1].Split(' ', StringSplitOptions.RemoveEmptyEntries);
            const double TicksPerSecond = 100; // USER_HZ of every Linux.
            var cpu = (double.Parse(fields[11], CultureInfo.InvariantCulture)
                + double.Parse(fields[12], CultureInfo.InvariantCulture)) / TicksPerSecond;
            return new ProcessBill(cpu, Number("status", "VmHWM:") * 1024, Number("status", "VmRSS:") * 1024, Number("io", "write_bytes:"));
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or InvalidOperationException)
        {
            return null;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _running.TryRemove(this, out _);
        if (!_process.HasExited)
        {
            _process.Kill(entireProcessTree: true);
            _process.WaitForExit();
        }

        _process.Dispose();
    }

    private long Number(string file, string name)
    {
        var line = File.ReadLines($"/proc/{_process.Id}/{file}").First(text => text.StartsWith(name, StringComparison.Ordinal));
        return long.Parse(line.Split((char[])[' ', '\t'], StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture);
    }

    private async Task ReadErrorsAsync()
    {
        while (await _process.StandardError.ReadLineAsync() is { } line)
        {
            lock (_errors)
            {
                _errors.AppendLine(line);
            }
        }
    }

    [LibraryImport("libc", EntryPoint = "kill")]
    private static partial int Kill(int processId, int signal);
}

/// <summary>What a process has used.</summary>
/// <param name="CpuSeconds">User and system time.</param>
/// <param name="PeakBytes">Most memory resident.</param>
/// <param name="ResidentBytes">Memory resident now.</param>
/// <param name="WrittenBytes">Bytes that it made the kernel write to disks.</param>
public sealed record ProcessBill(double CpuSeconds, long PeakBytes, long ResidentBytes, long WrittenBytes);
