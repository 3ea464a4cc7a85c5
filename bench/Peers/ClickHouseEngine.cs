using System.Diagnostics;
using Weir.Bench.Measure;
using Weir.Writer;

namespace Weir.Bench.Peers;

/// <summary>A ClickHouse that both sides write to in turns, each into a database that is new.</summary>
internal abstract class ClickHouseEngine(WriterOptions options, IBlockSink sink) : IDisposable
{
    /// <summary>The database of whoever's turn it is.</summary>
    public const string Database = "bench";

    private const int IdlePolls = 5;
    private static readonly TimeSpan _mergeTimeout = TimeSpan.FromSeconds(120);
    private static readonly TimeSpan _pollInterval = TimeSpan.FromMilliseconds(50);

    /// <summary>For ever: the flows are of a fixed day, and an engine with TTL would drop them at once.</summary>
    protected static IReadOnlyDictionary<int, TimeSpan> Retention { get; } = new Dictionary<int, TimeSpan>();

    /// <summary>Options of Weir's writer.</summary>
    public WriterOptions Options => options;

    /// <summary>Weir's sink.</summary>
    public IBlockSink Sink => sink;

    /// <summary>True where raw blocks are LZ4 frames, false where they are bare.</summary>
    public abstract bool IsFramed { get; }

    /// <summary>CPU of the engine, where it is a process of its own, ns.</summary>
    protected abstract long EngineNanos { get; }

    /// <summary>Runs a statement.</summary>
    public abstract void Execute(string statement);

    /// <summary>Inserts a block of raw rows.</summary>
    public abstract void InsertRaw(byte[] block);

    /// <summary>Asks.</summary>
    public abstract string Query(string sql);

    /// <summary>Counts the CPU of a job and of the merges that it leaves behind, then asks what the tables add up to.</summary>
    /// <param name="prepare">Makes the tables, and gives the job.</param>
    public (long CpuNanos, string Sums) Measure(Func<Action> prepare)
    {
        var job = prepare();
        WaitForMerges();
        var from = CpuClock.ProcessNanos() + EngineNanos;
        job();
        WaitForMerges(); // Asking costs both sides the same, some milliseconds.
        var cpu = CpuClock.ProcessNanos() + EngineNanos - from;
        var sums = Query(RawRows.SumQuery(Database));
        Execute($"DROP DATABASE {Database}");
        return (cpu, sums);
    }

    public virtual void Dispose() => sink.DisposeAsync().AsTask().GetAwaiter().GetResult();

    private void WaitForMerges()
    {
        var begun = Stopwatch.GetTimestamp();
        for (var idle = 0; idle < IdlePolls && Stopwatch.GetElapsedTime(begun) < _mergeTimeout;)
        {
            Thread.Sleep(_pollInterval);
            idle = Query("SELECT count() FROM system.merges").Trim() == "0" ? idle + 1 : 0;
        }
    }
}

/// <summary>A server that is a process of its own.</summary>
internal sealed class ServerEngine : ClickHouseEngine
{
    private readonly PrivateServer _server;

    /// <summary>Uses a server that somebody else ends.</summary>
    public ServerEngine(PrivateServer server)
        : this(
            server,
            new WriterOptions { Url = server.Url, Database = Database, Compression = BlockCompression.Lz4, Retention = Retention })
    {
    }

    private ServerEngine(PrivateServer server, WriterOptions options)
        : base(options, new ClickHouseHttpSink(options, TimeProvider.System))
    {
        _server = server;
    }

    public override bool IsFramed => true;

    protected override long EngineNanos => _server.CpuNanos;

    public override void Execute(string statement) => _ = _server.Run(statement);

    public override void InsertRaw(byte[] block) => _server.InsertFrames(RawRows.InsertStatement(Database), block);

    public override string Query(string sql) => _server.Run(sql);
}

/// <summary>The engine in this process.</summary>
internal sealed class EmbeddedEngine : ClickHouseEngine
{
    private readonly string _directory;

    /// <summary>Opens a store in a directory of its own.</summary>
    /// <exception cref="SinkUnusableException">There is no engine here; the message says what to do.</exception>
    public EmbeddedEngine()
        : this(Directory.CreateTempSubdirectory("weir-bench-engine-").FullName)
    {
    }

    private EmbeddedEngine(string directory)
        : this(directory, new WriterOptions { Url = null, EmbeddedPath = directory, Database = Database, Retention = Retention })
    {
    }

    private EmbeddedEngine(string directory, WriterOptions options)
        : base(options, new EmbeddedClickHouseSink(options))
    {
        _directory = directory;
        _ = Sink.ConnectAsync(CancellationToken.None).GetAwaiter().GetResult();
    }

    public override bool IsFramed => false;

    protected override long EngineNanos => 0; // Its threads are this process's.

    public override void Execute(string statement) => Sink.ExecuteAsync(statement, CancellationToken.None).GetAwaiter().GetResult();

    public override void InsertRaw(byte[] block)
    {
        var reply = Sink.InsertRowsAsync("raw", RawRows.ColumnNames, "Native", block, CancellationToken.None).GetAwaiter().GetResult();
        if (reply.Outcome != InsertOutcome.Stored)
        {
            throw new InvalidOperationException($"The engine did not take raw rows: {reply.Message}");
        }
    }

    public override string Query(string sql) => Sink.QueryTextAsync(sql, "TSV", CancellationToken.None).GetAwaiter().GetResult();

    public override void Dispose()
    {
        base.Dispose();
        Directory.Delete(_directory, recursive: true);
    }
}
