namespace Weir.Host.Profiling;

/// <summary>Call stacks of a profile, one in the other, with their weights.</summary>
internal sealed class StackTree(string name)
{
    private readonly Dictionary<string, StackTree> _callees = new(StringComparer.Ordinal);

    /// <summary>The method, or what else stands for a step.</summary>
    public string Name => name;

    /// <summary>Weight of all stacks that pass through here.</summary>
    public double Weight { get; private set; }

    /// <summary>What it calls, by name.</summary>
    public IEnumerable<StackTree> Callees => _callees.Values.OrderBy(callee => callee.Name, StringComparer.Ordinal);

    /// <summary>Weight of stacks that end here.</summary>
    public double OwnWeight => Weight - _callees.Values.Sum(callee => callee.Weight);

    /// <summary>Adds one stack.</summary>
    /// <param name="frames">From the outermost caller to the innermost callee.</param>
    /// <param name="weight">What it counts.</param>
    public void Add(IEnumerable<string> frames, double weight)
    {
        var node = this;
        node.Weight += weight;
        foreach (var frame in frames)
        {
            if (!node._callees.TryGetValue(frame, out var callee))
            {
                node._callees.Add(frame, callee = new StackTree(frame));
            }

            callee.Weight += weight;
            node = callee;
        }
    }
}
