namespace Weir.Writer;

/// <summary>How block bytes are compressed on the way to a server.</summary>
public enum BlockCompression
{
    /// <summary>Not at all.</summary>
    None,

    /// <summary>LZ4: cheapest; right for a LAN.</summary>
    Lz4,

    /// <summary>ZSTD level 1: fewer bytes where bandwidth counts.</summary>
    Zstd,
}

/// <summary>What is done with a block that the server refuses for ever.</summary>
public enum RefusedBlock
{
    /// <summary>The process stops cleanly; nothing is committed, so nothing is lost.</summary>
    Stop,

    /// <summary>The rows of the block are dropped, counted and logged, and the pipeline goes on.</summary>
    Drop,

    /// <summary>The block goes to <see cref="WriterOptions.DeadLetterDirectory"/>, counted and logged, and the pipeline goes on.</summary>
    DeadLetter,
}

/// <summary>Where blocks go and how they are sent.</summary>
public sealed record WriterOptions
{
    /// <summary>Base address of the server's HTTP port; null when <see cref="EmbeddedPath"/> is set.</summary>
    public Uri? Url { get; init; } = new("http://127.0.0.1:8123");

    /// <summary>
    /// Base addresses of the replicas of one shard, in the place of <see cref="Url"/>; empty when there is one server. Attempts go
    /// from one to the next while they fail. More than one needs replicated tables, or blocks would spread over the servers.
    /// </summary>
    public IReadOnlyList<Uri> Urls { get; init; } = [];

    /// <summary>
    /// Base addresses of the replicas of further shards, the first of which is <see cref="Urls"/>. A series lives on the shard that its
    /// tags say; ledger and Weir's own tables are on the first one.
    /// </summary>
    public IReadOnlyList<IReadOnlyList<Uri>> MoreShards { get; init; } = [];

    /// <summary>Shards of servers.</summary>
    public int ShardCount => 1 + MoreShards.Count;

    /// <summary>How blocks are made of a cut.</summary>
    public int Layout => Core.Model.BlockName.LayoutOf(ShardCount);

    /// <summary>All servers of the first shard: <see cref="Urls"/>, or the one <see cref="Url"/>; none where the store is embedded.</summary>
    public IReadOnlyList<Uri> Servers => Urls.Count > 0 ? Urls : Url is null ? [] : [Url];

    /// <summary>The servers of all shards.</summary>
    public IEnumerable<Uri> AllServers => Servers.Concat(MoreShards.SelectMany(shard => shard));

    /// <summary>Directory of the embedded ClickHouse; null when <see cref="Url"/> is set.</summary>
    public string? EmbeddedPath { get; init; }

    /// <summary>User of the server.</summary>
    public string User { get; init; } = "default";

    /// <summary>Password of the user; never printed.</summary>
    public string Password { get; init; } = "";

    /// <summary>File with the password, in the place of <see cref="Password"/>; read anew for each request. Null for none.</summary>
    public string? PasswordFile { get; init; }

    /// <summary>PEM certificates of the authorities that vouch for the servers; null for those of this machine.</summary>
    public string? TlsCaFile { get; init; }

    /// <summary>PEM certificate that is shown to the servers; null for none.</summary>
    public string? TlsCertificateFile { get; init; }

    /// <summary>PEM key of <see cref="TlsCertificateFile"/>; null when that file has it.</summary>
    public string? TlsKeyFile { get; init; }

    /// <summary>Database of all tables; made when it is absent.</summary>
    public string Database { get; init; } = "weir";

    /// <summary>Compression of blocks sent to a server.</summary>
    public BlockCompression Compression { get; init; } = BlockCompression.Lz4;

    /// <summary>How long rows are kept, by granularity in seconds; a granularity that is absent is kept for ever.</summary>
    public IReadOnlyDictionary<int, TimeSpan> Retention { get; init; } = new Dictionary<int, TimeSpan>
    {
        [1] = TimeSpan.FromDays(3),
        [60] = TimeSpan.FromDays(30),
    };

    /// <summary>Time-out of one request.</summary>
    public TimeSpan RequestTimeout { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>First wait after a failed attempt; it doubles, with full jitter.</summary>
    public TimeSpan BackoffMin { get; init; } = TimeSpan.FromMilliseconds(200);

    /// <summary>Longest wait between attempts.</summary>
    public TimeSpan BackoffMax { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Time-out of making a connection.</summary>
    public TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Cuts that wait, built, while another is inserted. One keeps the server busy; more only hold memory.</summary>
    public int BuiltCutsMax { get; init; } = 2;

    /// <summary>What is done with a block that the server refuses for ever.</summary>
    public RefusedBlock OnRefused { get; init; } = RefusedBlock.Stop;

    /// <summary>Where refused blocks go with <see cref="RefusedBlock.DeadLetter"/>; null for nowhere.</summary>
    public string? DeadLetterDirectory { get; init; }

    /// <summary>Bytes in <see cref="DeadLetterDirectory"/> above which a further refused block stops the process instead.</summary>
    public long DeadLetterBytesMax { get; init; } = 1L << 30;

    /// <summary>
    /// Tables bring each block and each merge to the disk before they report it as done (fsync). Without it, what the server has
    /// acknowledged in the last half minute or so may be gone after a loss of power, though never after a crash of a process.
    /// </summary>
    public bool Fsync { get; init; }

    /// <summary>Memory of one query of the embedded ClickHouse. Inserts are bounded by the size of a block.</summary>
    public long EmbeddedQueryMemoryBytes { get; init; } = 512L << 20;

    /// <summary>Rows of one insert above which a block is split in sort order. One below 1,048,576 is stored whole or not at all.</summary>
    public int BlockRowsMax { get; init; } = 1_000_000;

    /// <summary>Days in one insert above which a block is split; newer servers refuse more than 100 table partitions.</summary>
    public int BlockDaysMax { get; init; } = 90;

    /// <summary>The options of one shard of servers, as if it were the only one.</summary>
    public WriterOptions OfShard(int shard) => MoreShards.Count == 0
        ? this
        : this with { Urls = shard == 0 ? Urls : MoreShards[shard - 1], MoreShards = [] };

    /// <summary>Only what may be in a log: a record prints all members by itself, and the password is one.</summary>
    public override string ToString() =>
        $"{nameof(WriterOptions)} {{ {(EmbeddedPath is null ? string.Join(", ", AllServers) : EmbeddedPath)}, database {Database}, user {User} }}";
}
