using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;
using Weir.Core.Faults;

namespace Weir.Bench.Processes;

/// <summary>A <c>weir</c> process: the broker or the pipeline; it is gone when this is.</summary>
internal sealed partial class WeirProgram : IDisposable
{
    /// <summary>What <c>./weir</c> and the image tell .NET: bytes for new objects, in hexadecimal.</summary>
    internal const string NewObjectBytes = "2000000";

    /// <summary>Its variable.</summary>
    internal const string NewObjectBytesVariable = "DOTNET_GCgen0size";

    private const int Terminate = 15;
    private static readonly TimeSpan _startTimeout = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan _stopTimeout = TimeSpan.FromSeconds(120);
    private static readonly TimeSpan _pollInterval = TimeSpan.FromMilliseconds(20);

    private readonly Process _process;
    private readonly List<string> _lines = [];
    private readonly HttpClient _client = new();

    private WeirProgram(string program, string[] arguments, string? fault = null, params (string Name, string Value)[] environment)
    {
        var start = new ProcessStartInfo("dotnet", [program, .. arguments])
        {
            RedirectStandardError = true,
            RedirectStandardOutput = true,
        };
        start.Environment[FaultPoint.Variable] = fault ?? "";
        start.Environment.TryAdd(NewObjectBytesVariable, NewObjectBytes);
        foreach (var (name, value) in environment)
        {
            start.Environment[name] = value;
        }

        _process = Process.Start(start)!;
        _process.OutputDataReceived += (_, line) => Add(line.Data);
        _process.ErrorDataReceived += (_, line) => Add(line.Data);
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }

    /// <summary>Number of the process.</summary>
    public int Id => _process.Id;

    /// <summary>What it has said last, for messages.</summary>
    public string LastWords
    {
        get
        {
            lock (_lines)
            {
                return string.Join('\n', _lines.TakeLast(12));
            }
        }
    }

    /// <summary>Starts <c>weir broker</c> and waits until it is ready.</summary>
    /// <returns>The process and <c>host:port</c>.</returns>
    public static (WeirProgram Program, string Bootstrap) StartBroker(string program, string topic, int partitionCount)
    {
        var broker = new WeirProgram(program, ["broker", "--topic", $"{topic}:{partitionCount.ToString(CultureInfo.InvariantCulture)}"]);
        return (broker, broker.Find(line => line.StartsWith("127.0.0.1:", StringComparison.Ordinal) ? line.Trim() : null));
    }

    /// <summary>Starts <c>weir run</c> and waits until its partitions are assigned and its store takes rows.</summary>
    /// <param name="program">weir.dll.</param>
    /// <param name="configFile">Its configuration.</param>
    /// <param name="fault">For <c>WEIR_FAULT</c>; null for none.</param>
    /// <param name="environment">More variables.</param>
    public static WeirProgram StartRun(
        string program, string configFile, string? fault = null, params (string Name, string Value)[] environment)
    {
        const string Before = "admin at ";
        var run = new WeirProgram(program, ["run", "-c", configFile], fault, environment);
        run._client.BaseAddress = new Uri(run.Find(line =>
        {
            var at = line.IndexOf(Before, StringComparison.Ordinal);
            return at < 0 ? null : line[(at + Before.Length)..].Trim();
        }));
        run.Await(() => run.IsReady(), "be ready", _startTimeout);
        return run;
    }

    /// <summary>Waits until something is so.</summary>
    public void Await(Func<bool> isSo, string what, TimeSpan timeout)
    {
        var begun = Stopwatch.GetTimestamp();
        while (!isSo())
        {
            if (_process.HasExited || Stopwatch.GetElapsedTime(begun) > timeout)
            {
                throw new InvalidOperationException($"weir did not {what} within {timeout.TotalSeconds} s; its last words:\n{LastWords}");
            }

            Thread.Sleep(_pollInterval);
        }
    }

    /// <summary>All series of <c>/metrics</c>, labels as they are printed.</summary>
    public IReadOnlyDictionary<string, double> Metrics() => ReadMetrics(_client.GetStringAsync("metrics").GetAwaiter().GetResult());

    /// <summary>Begins to look at it as Prometheus and a viewer of the page do.</summary>
    public Watchers Watch() => new(_client.BaseAddress!);

    /// <summary>The next offset to be read, by partition.</summary>
    public IReadOnlyDictionary<int, long> NextOffsets()
    {
        using var json = JsonDocument.Parse(_client.GetStringAsync("positions").GetAwaiter().GetResult());
        return json.RootElement.EnumerateArray().ToDictionary(
            position => position.GetProperty("partition").GetInt32(), position => position.GetProperty("next_offset").GetInt64());
    }

    /// <summary>SIGTERM, as an administrator would; waits for the end.</summary>
    /// <returns>The exit code.</returns>
    public int Stop()
    {
        _ = Kill(_process.Id, Terminate);
        return _process.WaitForExit(_stopTimeout)
            ? _process.ExitCode
            : throw new InvalidOperationException($"weir did not stop within {_stopTimeout.TotalSeconds} s; its last words:\n{LastWords}");
    }

    public void Dispose()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
            _process.WaitForExit();
        }

        _process.Dispose();
        _client.Dispose();
    }

    /// <summary>The series of Prometheus text.</summary>
    internal static IReadOnlyDictionary<string, double> ReadMetrics(string text) => text.Split('\n')
        .Where(line => line.Length > 0 && line[0] != '#')
        .ToDictionary(
            line => line[..line.LastIndexOf(' ')],
            line => double.Parse(line[(line.LastIndexOf(' ') + 1)..], CultureInfo.InvariantCulture));

    /// <summary>The sum of a metric over the series that have a label.</summary>
    internal static double Sum(IReadOnlyDictionary<string, double> metrics, string name, string label = "") => metrics
        .Where(series => series.Key.Split('{')[0] == name && series.Key.Contains(label, StringComparison.Ordinal))
        .Sum(series => series.Value);

    private bool IsReady()
    {
        using var response = _client.GetAsync("readyz").GetAwaiter().GetResult();
        return response.IsSuccessStatusCode;
    }

    private string Find(Func<string, string?> find)
    {
        string? found = null;
        Await(
            () =>
            {
                lock (_lines)
                {
                    found = _lines.Select(find).FirstOrDefault(text => text is not null);
                    return found is not null;
                }
            },
            "start",
            _startTimeout);
        return found!;
    }

    private void Add(string? line)
    {
        if (line is not null)
        {
            lock (_lines)
            {
                _lines.Add(line);
            }
        }
    }

    [LibraryImport("libc", EntryPoint = "kill")]
    private static partial int Kill(int processId, int signal);
}
