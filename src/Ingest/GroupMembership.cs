namespace Weir.Ingest;

/// <summary>As whom a process is known to its consumer group.</summary>
/// <param name="MemberId">The member; empty where the group does not know it.</param>
/// <param name="Generation">How often the group was formed; the member's epoch with <c>group.protocol=consumer</c>.</param>
/// <param name="IsClassic">False with <c>group.protocol=consumer</c>.</param>
internal readonly record struct GroupMembership(string MemberId, int Generation, bool IsClassic)
{
    /// <summary>The generation of who is no member.</summary>
    public const int NoGeneration = -1;

    /// <summary>True while the group knows the process.</summary>
    public bool IsMember => Generation >= 0;

    /// <summary>True when what was held as <paramref name="earlier"/> has had no other owner since.</summary>
    /// <remarks>
    /// librdkafka does not tell a process that it was put out of the group while the process is still letting partitions go: it joins
    /// again, as another member, and claims the partitions that it had kept. And who was silent while the group was formed anew comes
    /// two generations later. An epoch of the newer protocol says nothing of this kind; there the broker gives a partition to nobody
    /// before its owner has let it go or was put out, and a member that was put out is told so before it joins again.
    /// </remarks>
    public bool Continues(in GroupMembership earlier) =>
        IsMember && MemberId == earlier.MemberId && (!IsClassic || Generation - earlier.Generation is 0 or 1);
}
