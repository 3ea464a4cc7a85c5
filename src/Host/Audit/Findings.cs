namespace Weir.Host.Audit;

/// <summary>What an audit has found so far; it lists the first ones and counts all.</summary>
/// <remarks>One thread.</remarks>
internal sealed class Findings
{
    private readonly List<RangeFinding> _gaps = [];
    private readonly List<RangeFinding> _overlaps = [];
    private readonly List<string> _problems = [];
    private readonly List<string> _notes = [];

    /// <summary>All findings that are differences.</summary>
    public long DifferenceCount { get; private set; }

    /// <summary>Ranges in no cut.</summary>
    public IReadOnlyList<RangeFinding> Gaps => _gaps;

    /// <summary>Ranges in two cuts.</summary>
    public IReadOnlyList<RangeFinding> Overlaps => _overlaps;

    /// <summary>Cuts that do not add up.</summary>
    public IReadOnlyList<string> Problems => _problems;

    /// <summary>What was set apart.</summary>
    public IReadOnlyList<string> Notes => _notes;

    /// <summary>Adds a range that no cut holds.</summary>
    public void AddGap(RangeFinding gap) => Add(_gaps, gap);

    /// <summary>Adds a range that two cuts hold.</summary>
    public void AddOverlap(RangeFinding overlap) => Add(_overlaps, overlap);

    /// <summary>Adds something else that is wrong.</summary>
    public void AddProblem(string text) => Add(_problems, text);

    /// <summary>Adds something that was set apart.</summary>
    public void AddNote(string text)
    {
        if (_notes.Count < AuditReport.ListedMax)
        {
            _notes.Add(text);
        }
    }

    private void Add<T>(List<T> list, T finding)
    {
        DifferenceCount++;
        if (list.Count < AuditReport.ListedMax)
        {
            list.Add(finding);
        }
    }
}
