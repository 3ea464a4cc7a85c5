using System.Globalization;
using System.Text.Json;
using Weir.Core.Telemetry;
using Weir.Host.Diagnosis;
using Weir.Writer;

namespace Weir.Host.Telemetry;

/// <summary>Writes what the stages have counted to the tables of the database <c>weir_system</c>, outside the data queues.</summary>
/// <remarks>
/// <para>
/// Every <see cref="TelemetryOptions.TablesInterval"/> one insert. Amounts are those since the last rows that were stored, so
/// their sum is the counter, whatever rows were given up between: nothing waits, and nothing is kept but the reading before.
/// </para>
/// <para>One task on the pool; the counters are for any thread.</para>
/// </remarks>
internal sealed class SystemTables : IAsyncDisposable
{
    /// <summary>The database.</summary>
    public const string Database = "weir_system";

    private static readonly TimeSpan _attemptTimeout = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan _retentionInterval = TimeSpan.FromHours(1);
    private static readonly string[] _columns = [.. SystemTable.StoredColumns.Select(column => column.Name)];

    private readonly TimeSpan _interval;
    private readonly IBlockSink _sink;
    private readonly Func<DiagnosisFrame> _read;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly string _process;
    private readonly bool _ownsSink;
    private readonly CancellationTokenSource _stop = new();
    private DiagnosisFrame? _stored; // What the rows that are stored tell up to.
    private bool _isPrepared;
    private bool _isAway;
    private bool _hasTtl;
    private DateTimeOffset _retentionAt = DateTimeOffset.MinValue;
    private Task _task = Task.CompletedTask;
    private long _storedRowCount;
    private long _droppedRowCount;

    /// <summary>Makes the writer; <see cref="Start"/> starts it.</summary>
    /// <param name="options">How often.</param>
    /// <param name="sink">Where to; a sink of its own for a server, the one store where it is embedded.</param>
    /// <param name="ownsSink">True to dispose it with this.</param>
    /// <param name="process">Name of this process.</param>
    /// <param name="read">Reads all stages now.</param>
    /// <param name="time">The process's clock.</param>
    /// <param name="logger">Gets changes of state.</param>
    public SystemTables(
        TelemetryOptions options, IBlockSink sink, bool ownsSink, string process, Func<DiagnosisFrame> read, TimeProvider time, ILogger logger)
    {
        _interval = options.TablesInterval;
        _sink = sink;
        _ownsSink = ownsSink;
        _process = process;
        _read = read;
        _time = time;
        _logger = logger;
    }

    /// <summary>Rows stored. Any thread.</summary>
    public long StoredRowCount => Interlocked.Read(ref _storedRowCount);

    /// <summary>Rows that were not taken. Any thread.</summary>
    public long DroppedRowCount => Interlocked.Read(ref _droppedRowCount);

    /// <summary>Starts to write.</summary>
    public void Start() => _task = Task.Run(RunAsync);

    /// <summary>Writes the last rows, for which the server has a few seconds, and ends.</summary>
    public async Task StopAsync()
    {
        if (_stop.IsCancellationRequested)
        {
            return;
        }

        await _stop.CancelAsync().ConfigureAwait(false);
        await _task.ConfigureAwait(false);
        if (_isPrepared && !_isAway)
        {
            await WriteAsync(CancellationToken.None).ConfigureAwait(false);
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await StopAsync().ConfigureAwait(false);
        _stop.Dispose();
        if (_ownsSink)
        {
            await _sink.DisposeAsync().ConfigureAwait(false);
        }
    }

    private async Task RunAsync()
    {
        using var timer = new PeriodicTimer(_interval, _time);
        try
        {
            while (await timer.WaitForNextTickAsync(_stop.Token).ConfigureAwait(false))
            {
                await WriteAsync(_stop.Token).ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException)
        {
            // The stop.
        }
    }

    /// <summary>Tries once to store what has been counted since the last time.</summary>
    private async Task WriteAsync(CancellationToken cancel)
    {
        using var timeout = new CancellationTokenSource(_attemptTimeout, _time);
        using var linked = CancellationTokenSource.CreateLinkedTokenSource(cancel, timeout.Token);
        var frame = _read();
        var (rows, count) = Rows(_process, _stored, frame);
        var reply = await TryStoreAsync(rows, linked.Token).ConfigureAwait(false);
        if (reply.Outcome == InsertOutcome.Stored)
        {
            _stored = frame;
            Interlocked.Add(ref _storedRowCount, count);
        }
        else
        {
            cancel.ThrowIfCancellationRequested();
            Interlocked.Add(ref _droppedRowCount, count);
            _isPrepared = false;
        }

        Tell(reply);
    }

    private async Task<InsertReply> TryStoreAsync(ReadOnlyMemory<byte> rows, CancellationToken cancel)
    {
        try
        {
            await PrepareAsync(cancel).ConfigureAwait(false);
            return await _sink.InsertRowsAsync(
                $"{Database}.{SystemTable.StoredName}", _columns, "JSONEachRow", rows, cancel).ConfigureAwait(false);
        }
        catch (ClickHouseException error)
        {
            return error.Reply;
        }
        catch (SinkUnusableException error)
        {
            return InsertReply.Failed(ReplyCause.Unknown, 0, error.Message);
        }
        catch (OperationCanceledException)
        {
            return InsertReply.Failed(ReplyCause.TimedOut, 0, $"not stored within {_attemptTimeout.TotalSeconds:0} s");
        }
    }

    private async Task PrepareAsync(CancellationToken cancel)
    {
        if (!_isPrepared)
        {
            // The embedded store is connected by its owner; a second connection would close the first. And whole days are dropped there, as
            // on a server without TTL: every merge would look for single old rows otherwise, on this process's processors.
            _hasTtl = _ownsSink && (await _sink.ConnectAsync(cancel).ConfigureAwait(false)).HasTtl;
            await _sink.ExecuteAsync($"CREATE DATABASE IF NOT EXISTS {Database}", cancel).ConfigureAwait(false);
            foreach (var statement in SystemTable.CreateStatements(_hasTtl))
            {
                await _sink.ExecuteAsync(statement, cancel).ConfigureAwait(false);
            }

            _isPrepared = true;
        }

        var now = _time.GetUtcNow();
        if (!_hasTtl && now >= _retentionAt)
        {
            _retentionAt = now + _retentionInterval;
            await DropOldAsync(now - SystemTable.Retention, cancel).ConfigureAwait(false);
        }
    }

    private async Task DropOldAsync(DateTimeOffset before, CancellationToken cancel)
    {
        var day = before.ToString("yyyyMMdd", CultureInfo.InvariantCulture);
        var old = await _sink.QueryTextAsync(
            $"SELECT DISTINCT partition FROM system.parts WHERE database = '{Database}' AND table = '{SystemTable.StoredName}' AND active AND partition < '{day}'",
            "TSV",
            cancel).ConfigureAwait(false);
        foreach (var partition in old.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            await _sink.ExecuteAsync($"ALTER TABLE {Database}.{SystemTable.StoredName} DROP PARTITION {partition}", cancel).ConfigureAwait(false);
        }
    }

    private void Tell(in InsertReply reply)
    {
        var isAway = reply.Outcome != InsertOutcome.Stored;
        if (isAway && !_isAway)
        {
            WeirLog.SystemTablesAway(_logger, reply.Message);
        }
        else if (!isAway && _isAway)
        {
            WeirLog.SystemTablesBack(_logger, DroppedRowCount);
        }

        _isAway = isAway;
    }

    /// <summary>The rows of all tables as lines of JSON; what a table has not is left out, and is the default of its column.</summary>
    private static (ReadOnlyMemory<byte> Rows, int Count) Rows(string process, DiagnosisFrame? before, DiagnosisFrame now)
    {
        var buffer = new MemoryStream();
        var count = 0;
        using var json = new Utf8JsonWriter(buffer);
        foreach (var table in SystemTable.All)
        {
            foreach (var row in table.RowsOf(process, before, now))
            {
                json.WriteStartObject();
                for (var index = 0; index < row.Length; index++)
                {
                    json.WritePropertyName(index == 0 ? SystemTable.KindColumn : table.Columns[index - 1].Name);
                    JsonSerializer.Serialize(json, row[index]);
                }

                json.WriteEndObject();
                json.Flush();
                json.Reset();
                buffer.WriteByte((byte)'\n');
                count++;
            }
        }

        return (buffer.GetBuffer().AsMemory(0, (int)buffer.Length), count);
    }
}
