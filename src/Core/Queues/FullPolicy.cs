namespace Weir.Core.Queues;

/// <summary>What a full queue does with an offer.</summary>
public enum FullPolicy
{
    /// <summary>The producer waits. Nothing is lost; lag grows instead.</summary>
    Block,

    /// <summary>The oldest records make room for the new ones: old data is lost, counted, and fresh data stays fresh.</summary>
    Overwrite,

    /// <summary>The new records are refused: fresh data is lost, counted.</summary>
    Drop,
}
