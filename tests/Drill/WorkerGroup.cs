using Weir.Tests.EndToEnd;
using Weir.Tests.Support;
using Xunit;

namespace Weir.Tests.Drill;

/// <summary>The <c>weir run</c> processes of one consumer group, which come and go.</summary>
/// <remarks>The test's thread changes it; any thread may read <see cref="Members"/>.</remarks>
internal sealed class WorkerGroup(PipelineBed bed, string config, int partitionCount, params (string Name, string Value)[] environment)
{
    private readonly List<(WeirRun Run, int Place)> _members = [];

    /// <summary>True when each has the name of its place as group.instance.id, as a pod of a StatefulSet has; who replaces it takes its place.</summary>
    internal bool IsStatic { get; init; }

    /// <summary>Those that run now, the longest first.</summary>
    internal List<WeirRun> Members
    {
        get
        {
            lock (_members)
            {
                return [.. _members.Select(member => member.Run)];
            }
        }
    }

    /// <summary>Stops that met a rebalance and left their plans to the next owner, which is allowed.</summary>
    internal int UndrainedCount { get; private set; }

    /// <summary>Starts workers until there are so many, and waits until each has its share.</summary>
    internal async Task GrowAsync(int count)
    {
        while (Members.Count < count)
        {
            var place = Enumerable.Range(0, count).First(free => _members.TrueForAll(member => member.Place != free));
            var joining = await bed.RunAsync(
                config, IsStatic ? [.. environment, ("WEIR__KAFKA__OPTIONS__GROUP_INSTANCE_ID", $"weir-{place}")] : environment);
            lock (_members)
            {
                _members.Add((joining, place));
            }
        }

        await AssignedAsync();
    }

    /// <summary>Stops workers until there are so many, the youngest first, and waits until the others have their partitions.</summary>
    internal async Task ShrinkAsync(int count)
    {
        while (Members.Count > count)
        {
            await StopAsync(Members[^1]);
        }

        await AssignedAsync();
    }

    /// <summary>Replaces all, one after another: each is drained, and its successor has its share before the next one goes.</summary>
    internal async Task RollAsync()
    {
        foreach (var leaving in Members)
        {
            await ReplaceAsync(leaving);
        }
    }

    /// <summary>Drains one, and starts its successor, who is the last of <see cref="Members"/>.</summary>
    internal async Task ReplaceAsync(WeirRun leaving)
    {
        var count = Members.Count;
        await StopAsync(leaving);
        await GrowAsync(count);
    }

    /// <summary>Kills one with -9, and waits until the others have its partitions.</summary>
    internal async Task KillAsync(int index)
    {
        var killed = Members[index];
        Remove(killed);
        killed.Process.Signal("KILL");
        await AssignedAsync();
    }

    private async Task StopAsync(WeirRun leaving)
    {
        Remove(leaving);
        var code = await leaving.StopAsync();
        Assert.True(code is 0 or 1, leaving.Process.ErrorText);
        UndrainedCount += code;
    }

    private void Remove(WeirRun leaving)
    {
        lock (_members)
        {
            _members.RemoveAll(member => member.Run == leaving);
        }
    }

    /// <summary>Every worker has its share, and all partitions have an owner.</summary>
    private Task AssignedAsync() => Eventually.TrueAsync(
        async () =>
        {
            var workers = Members;
            var dead = workers.Find(worker => worker.Process.HasExited);
            Assert.True(dead is null, $"A worker has ended; it said\n{dead?.Process.ErrorText}");
            var counts = await Task.WhenAll(workers.Select(async worker => (int)await worker.MetricAsync("weir_ingest_partitions")));
            return counts.Sum() == partitionCount && counts.All(count => count >= partitionCount / workers.Count);
        },
        () => $"{partitionCount} partitions are shared by {Members.Count} workers; the last one said\n{Members[^1].Process.ErrorText}",
        TimeSpan.FromSeconds(120));
}
