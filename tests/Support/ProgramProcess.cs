using System.Diagnostics;
using System.Globalization;
using Xunit;

namespace Weir.Tests.Support;

/// <summary>The <c>weir</c> program that was built beside the tests, as a process of its own; it is gone when the test is.</summary>
internal sealed class ProgramProcess : IDisposable
{
    private static readonly TimeSpan _exitTimeout = TimeSpan.FromSeconds(60);

    private readonly Process _process;
    private readonly string _name;
    private readonly List<string> _errorLines = [];
    private readonly MemoryStream _output = new();
    private readonly Task _outputRead;
    private readonly Task _errorRead;

    private ProgramProcess(ProcessStartInfo start)
    {
        _name = $"{Path.GetFileName(start.FileName)} {start.ArgumentList[0]}";
        _process = Process.Start(start)!;
        _outputRead = _process.StandardOutput.BaseStream.CopyToAsync(_output);
        _errorRead = ReadErrorAsync();
    }

    /// <summary>Lines of stderr so far: the log.</summary>
    public IReadOnlyList<string> ErrorLines
    {
        get
        {
            lock (_errorLines)
            {
                return [.. _errorLines];
            }
        }
    }

    /// <summary>All of <see cref="ErrorLines"/>, for messages of failed tests.</summary>
    public string ErrorText => string.Join('\n', ErrorLines);

    /// <summary>Number of the process.</summary>
    public int Id => _process.Id;

    /// <summary>True when the process has ended.</summary>
    public bool HasExited => _process.HasExited;

    /// <summary>Processor time that the process has used so far.</summary>
    public TimeSpan CpuTime
    {
        get
        {
            _process.Refresh();
            return _process.TotalProcessorTime;
        }
    }

    /// <summary>Starts the program.</summary>
    /// <param name="directory">Its working directory.</param>
    /// <param name="environment">Variables beside those of this process.</param>
    /// <param name="arguments">Its arguments.</param>
    public static ProgramProcess Start(string directory, IReadOnlyDictionary<string, string>? environment, params string[] arguments) =>
        StartOther(Path.Combine(AppContext.BaseDirectory, "weir"), directory, environment, arguments);

    /// <summary>Starts a program from elsewhere.</summary>
    /// <param name="program">Its file, or its name.</param>
    /// <param name="directory">Its working directory.</param>
    /// <param name="environment">Variables beside those of this process.</param>
    /// <param name="arguments">Its arguments.</param>
    public static ProgramProcess StartOther(
        string program, string directory, IReadOnlyDictionary<string, string>? environment, params string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments)
        {
            WorkingDirectory = directory,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["DOTNET_ROOT"] = Path.GetDirectoryName(Environment.ProcessPath);
        foreach (var (name, value) in environment ?? new Dictionary<string, string>())
        {
            start.Environment[name] = value;
        }

        return new ProgramProcess(start);
    }

    /// <summary>Runs the program to its end.</summary>
    /// <returns>Exit code, stdout and stderr.</returns>
    public static async Task<(int Code, string Output, string Error)> RunAsync(
        string directory, IReadOnlyDictionary<string, string>? environment, params string[] arguments)
    {
        using var program = Start(directory, environment, arguments);
        var code = await program.ExitCodeAsync();
        return (code, program.OutputText, program.ErrorText);
    }

    /// <summary>All of stdout; only of a process that has ended.</summary>
    public string OutputText => System.Text.Encoding.UTF8.GetString(_output.ToArray());

    /// <summary>Most bytes of memory that the process has had resident, as the kernel counts them.</summary>
    public long PeakResidentBytes
    {
        get
        {
            var line = File.ReadLines($"/proc/{_process.Id}/status").First(text => text.StartsWith("VmHWM:", StringComparison.Ordinal));
            return long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) * 1024;
        }
    }

    /// <summary>Sends a signal by its name, such as TERM.</summary>
    public void Signal(string name)
    {
        using var kill = Process.Start("kill", [$"-{name}", _process.Id.ToString(CultureInfo.InvariantCulture)]);
        kill.WaitForExit();
    }

    /// <summary>Waits for the end of the process and of its output.</summary>
    public async Task<int> ExitCodeAsync(TimeSpan? limit = null)
    {
        using var timeout = new CancellationTokenSource(limit ?? _exitTimeout);
        try
        {
            await _process.WaitForExitAsync(timeout.Token);
            await Task.WhenAll(_outputRead, _errorRead).WaitAsync(timeout.Token);
        }
        catch (OperationCanceledException)
        {
            Assert.Fail($"{_name} did not end in time; it said:\n{ErrorText}");
        }

        return _process.ExitCode;
    }

    /// <summary>Waits until a line of stderr contains a text.</summary>
    /// <returns>The first such line.</returns>
    public async Task<string> LineAsync(string text)
    {
        string? Find() => ErrorLines.FirstOrDefault(line => line.Contains(text, StringComparison.Ordinal));
        await Eventually.TrueAsync(
            () => Task.FromResult(Find() is not null || _process.HasExited), () => $"{_name} saying '{text}'; it said:\n{ErrorText}");
        await (Find() is null ? _errorRead : Task.CompletedTask); // Its last words may still be on their way.
        var line = Find();
        Assert.True(line is not null, $"{_name} ended without saying '{text}'; it said:\n{ErrorText}");
        return line;
    }

    /// <summary>How many lines of stderr contain a text.</summary>
    public int CountLines(string text) => ErrorLines.Count(line => line.Contains(text, StringComparison.Ordinal));

    /// <summary>Kills the process, and what it has started, if it still runs.</summary>
    public void Dispose()
    {
        if (!_process.HasExited)
        {
            _process.Kill(entireProcessTree: true);
            _process.WaitForExit();
        }

        _process.Dispose();
        _output.Dispose();
    }

    private async Task ReadErrorAsync()
    {
        while (await _process.StandardError.ReadLineAsync() is { } line)
        {
            lock (_errorLines)
            {
                _errorLines.Add(line);
            }
        }
    }
}
