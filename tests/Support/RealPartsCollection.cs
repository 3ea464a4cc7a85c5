using Xunit;

namespace Weir.Tests.Support;

/// <summary>
/// Test classes that use a server or the embedded engine in this process name this collection, so that xunit runs them one after the
/// other: the embedded engine is one for each process. <see cref="ProcessesCollection"/> runs beside it, <see cref="AloneCollection"/>
/// after both.
/// </summary>
[CollectionDefinition(Name)]
public sealed class RealPartsCollection
{
    /// <summary>The collection's name.</summary>
    public const string Name = "real parts";
}

/// <summary>
/// Test classes that run whole pipelines as processes, with a broker that is a process, too. They wait for time-outs of consumer groups
/// most of the time, so they run beside <see cref="RealPartsCollection"/>, one after the other.
/// </summary>
[CollectionDefinition(Name)]
public sealed class ProcessesCollection
{
    /// <summary>The collection's name.</summary>
    public const string Name = "processes";
}

/// <summary>
/// Test classes that bear nobody beside them: those that judge how busy the machine is or how much memory
/// this process holds, and those that take a broker in this process down
/// (its sockets are inherited by processes that others start meanwhile, and stay open in them).
/// </summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class AloneCollection
{
    /// <summary>The collection's name.</summary>
    public const string Name = "alone";
}
