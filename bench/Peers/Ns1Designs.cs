namespace Weir.Bench.Peers;

/// <summary>What NS1's aggregator does: metrics by name in, each with the time of its last update, those that are quiet out.</summary>
internal interface INs1Design
{
    /// <summary>Adds to the sum of the metric that the tags name.</summary>
    void Put(IReadOnlyList<KeyValuePair<string, string>> tags, long value, long now);

    /// <summary>Takes out what was last updated before <paramref name="before"/>.</summary>
    /// <returns>The sum over it.</returns>
    long Flush(long before);
}

/// <summary>A metric: its name, its sum, and when it was last updated.</summary>
internal sealed class Ns1Metric(string name)
{
    public readonly string Name = name;
    public long Sum;
    public long UpdatedAt;

    /// <summary>The name of a tag set: its tags sorted by key and joined.</summary>
    public static string NameOf(IReadOnlyList<KeyValuePair<string, string>> tags)
    {
        var sorted = tags.OrderBy(tag => tag.Key, StringComparer.Ordinal);
        return string.Join(",", sorted.Select(tag => $"{tag.Key}={tag.Value}"));
    }
}

/// <summary>
/// NS1's second design, ported as an idea: a map from metric name to sum, and an array sorted by last update. The array is put in order
/// at the flush, not at each put: that is in the peer's favour.
/// </summary>
internal sealed class Ns1Map : INs1Design
{
    private readonly Dictionary<string, Ns1Metric> _metrics = [];
    private readonly List<Ns1Metric> _byUpdate = [];

    public void Put(IReadOnlyList<KeyValuePair<string, string>> tags, long value, long now)
    {
        var name = Ns1Metric.NameOf(tags);
        if (!_metrics.TryGetValue(name, out var metric))
        {
            metric = new Ns1Metric(name);
            _metrics.Add(name, metric);
            _byUpdate.Add(metric);
        }

        metric.Sum += value;
        metric.UpdatedAt = now;
    }

    public long Flush(long before)
    {
        _byUpdate.Sort((left, right) => left.UpdatedAt.CompareTo(right.UpdatedAt));
        var sum = 0L;
        var count = 0;
        while (count < _byUpdate.Count && _byUpdate[count].UpdatedAt < before)
        {
            sum += _byUpdate[count].Sum;
            _ = _metrics.Remove(_byUpdate[count].Name);
            count++;
        }

        _byUpdate.RemoveRange(0, count);
        return sum;
    }
}

/// <summary>NS1's first design, ported as an idea: a B-tree by metric name, walked whole at the flush.</summary>
internal sealed class Ns1Tree : INs1Design
{
    private BTree _metrics = new();

    public void Put(IReadOnlyList<KeyValuePair<string, string>> tags, long value, long now)
    {
        var metric = _metrics.GetOrAdd(Ns1Metric.NameOf(tags));
        metric.Sum += value;
        metric.UpdatedAt = now;
    }

    public long Flush(long before)
    {
        var sum = 0L;
        var kept = new BTree();
        foreach (var metric in _metrics.Walk())
        {
            if (metric.UpdatedAt < before)
            {
                sum += metric.Sum;
            }
            else
            {
                var copy = kept.GetOrAdd(metric.Name);
                (copy.Sum, copy.UpdatedAt) = (metric.Sum, metric.UpdatedAt);
            }
        }

        _metrics = kept;
        return sum;
    }

    /// <summary>A B-tree of metrics in ordinal order of their names; nodes of up to 63 are split on the way down.</summary>
    internal sealed class BTree
    {
        private const int ItemsMax = 63;

        private Node _root = new();

        /// <summary>The metric of this name, a new one where there is none.</summary>
        public Ns1Metric GetOrAdd(string name)
        {
            if (_root.Count == ItemsMax)
            {
                var root = new Node { Children = new Node[ItemsMax + 1] };
                root.Children[0] = _root;
                Split(root, 0);
                _root = root;
            }

            var node = _root;
            while (true)
            {
                var index = Find(node, name, out var isFound);
                if (isFound)
                {
                    return node.Items[index];
                }

                if (node.Children is null)
                {
                    Array.Copy(node.Items, index, node.Items, index + 1, node.Count - index);
                    node.Count++;
                    return node.Items[index] = new Ns1Metric(name);
                }

                if (node.Children[index].Count == ItemsMax)
                {
                    Split(node, index);
                    var order = string.CompareOrdinal(name, node.Items[index].Name);
                    if (order == 0)
                    {
                        return node.Items[index];
                    }

                    index += order > 0 ? 1 : 0;
                }

                node = node.Children[index];
            }
        }

        /// <summary>All metrics in order.</summary>
        public IEnumerable<Ns1Metric> Walk() => Walk(_root);

        private static IEnumerable<Ns1Metric> Walk(Node node)
        {
            for (var index = 0; index <= node.Count; index++)
            {
                if (node.Children is not null)
                {
                    foreach (var metric in Walk(node.Children[index]))
                    {
                        yield return metric;
                    }
                }

                if (index < node.Count)
                {
                    yield return node.Items[index];
                }
            }
        }

        private static int Find(Node node, string name, out bool isFound)
        {
            var (low, high) = (0, node.Count - 1);
            while (low <= high)
            {
                var middle = (low + high) / 2;
                var order = string.CompareOrdinal(name, node.Items[middle].Name);
                if (order == 0)
                {
                    isFound = true;
                    return middle;
                }

                (low, high) = order < 0 ? (low, middle - 1) : (middle + 1, high);
            }

            isFound = false;
            return low;
        }

        /// <summary>Splits a full child; its middle item moves up into <paramref name="parent"/>, which has room.</summary>
        private static void Split(Node parent, int index)
        {
            const int Middle = ItemsMax / 2;
            var left = parent.Children![index];
            var right = new Node { Count = ItemsMax - Middle - 1 };
            Array.Copy(left.Items, Middle + 1, right.Items, 0, right.Count);
            if (left.Children is not null)
            {
                right.Children = new Node[ItemsMax + 1];
                Array.Copy(left.Children, Middle + 1, right.Children, 0, right.Count + 1);
            }

            Array.Copy(parent.Items, index, parent.Items, index + 1, parent.Count - index);
            Array.Copy(parent.Children, index + 1, parent.Children, index + 2, parent.Count - index);
            parent.Items[index] = left.Items[Middle];
            parent.Children[index + 1] = right;
            parent.Count++;
            left.Count = Middle;
            Array.Clear(left.Items, Middle, ItemsMax - Middle);
        }

        private sealed class Node
        {
            public readonly Ns1Metric[] Items = new Ns1Metric[ItemsMax];
            public Node[]? Children;
            public int Count;
        }
    }
}
