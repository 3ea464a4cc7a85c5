namespace Weir.Ingest;

/// <summary>Where rejected and late records go; nowhere by default.</summary>
public sealed record DeadLetterOptions
{
    /// <summary>Topic that gets them; null for none.</summary>
    public string? Topic { get; init; }

    /// <summary>Directory that gets them; null for none.</summary>
    public string? Directory { get; init; }

    /// <summary>Letters a second; more are only counted. A flood of bad records must not become a flood of letters.</summary>
    public int RateMax { get; init; } = 1_000;

    /// <summary>Bytes of all files of the directory; beyond them letters are only counted.</summary>
    public long DirectoryBytesMax { get; init; } = 1L << 30;

    /// <summary>True when they go somewhere.</summary>
    public bool IsOn => Topic is not null || Directory is not null;
}
