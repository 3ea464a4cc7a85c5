using Xunit;

namespace Weir.Tests.Support;

/// <summary>
/// Test classes that use a server, a broker or the embedded engine name this collection, so that xunit runs them one after the other:
/// the embedded engine is one for each process, and a machine with two cores has no room for two pipelines at once.
/// </summary>
[CollectionDefinition(Name)]
public sealed class RealPartsCollection
{
    /// <summary>The collection's name.</summary>
    public const string Name = "real parts";
}
