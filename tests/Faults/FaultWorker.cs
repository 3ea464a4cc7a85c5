using Weir.Core.Faults;
using Weir.Tests.Support;

namespace Weir.Tests.Faults;

/// <summary>A place for a <c>weir run</c> process, which is started again when it was killed.</summary>
internal sealed class FaultWorker(string directory, string configFile, IReadOnlyDictionary<string, string> options) : IDisposable
{
    private const int Killed = 137;

    private readonly List<ProgramProcess> _processes = [];
    private bool _isLeaving;

    /// <summary>True while a process is to run here.</summary>
    public bool IsWanted { get; private set; }

    /// <summary>True between <see cref="Freeze"/> and <see cref="Thaw"/>.</summary>
    public bool IsFrozen { get; private set; }

    /// <summary>How often it was killed, from outside or by itself at a step.</summary>
    public int KillCount { get; private set; }

    /// <summary>What all processes of this place have said.</summary>
    public string Log => string.Join('\n', _processes.Select((process, index) => $"--- process {index}\n{process.ErrorText}"));

    /// <summary>True when the process could not start because its disk is full: what starts programs tries again.</summary>
    private bool HasNoRoom => Last.ErrorText.Contains("No space left on device", StringComparison.Ordinal);

    private ProgramProcess Last => _processes[^1];

    /// <summary>Starts a process.</summary>
    /// <param name="fault">For <see cref="FaultPoint"/>; null for none.</param>
    public void Start(string? fault = null)
    {
        var environment = new Dictionary<string, string>(options) { [FaultPoint.Variable] = fault ?? "" };
        _processes.Add(ProgramProcess.Start(directory, environment, "run", "-c", configFile));
        (IsWanted, _isLeaving) = (true, false);
    }

    /// <summary>kill -9, and the end of it.</summary>
    public async Task KillAsync()
    {
        Last.Signal("KILL");
        await Last.ExitCodeAsync();
        IsFrozen = false;
    }

    public void Freeze()
    {
        Last.Signal("STOP");
        IsFrozen = true;
    }

    public void Thaw()
    {
        if (IsFrozen)
        {
            Last.Signal("CONT");
            IsFrozen = false;
        }
    }

    /// <summary>SIGTERM; it stores what it has, if it can.</summary>
    public void Leave()
    {
        Thaw();
        Last.Signal("TERM");
        (IsWanted, _isLeaving) = (false, true);
    }

    /// <summary>Starts the process again where it was killed.</summary>
    /// <returns>What is wrong, or null.</returns>
    public async Task<string?> SuperviseAsync()
    {
        if (_processes.Count == 0 || !Last.HasExited || !(IsWanted || _isLeaving))
        {
            return null;
        }

        var code = await Last.ExitCodeAsync();
        if (code != Killed && !_isLeaving && !HasNoRoom)
        {
            IsWanted = false;
            return $"a worker ended by itself with code {code}";
        }

        if (IsWanted)
        {
            KillCount++;
            Start();
        }

        return null;
    }

    /// <summary>Waits for the end of a process that leaves.</summary>
    public async Task<int> EndedAsync() => _processes.Count == 0 ? 0 : await Last.ExitCodeAsync(TimeSpan.FromMinutes(2));

    public void Dispose() => _processes.ForEach(process => process.Dispose());
}
