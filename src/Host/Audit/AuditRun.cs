using Weir.Core.Model;
using Weir.Host.Commands;

namespace Weir.Host.Audit;

/// <summary>What an audit was asked to do.</summary>
/// <param name="Topic">The only topic whose ranges are looked at; null for all.</param>
/// <param name="Since">The time from whose UTC day on is looked; null for all.</param>
/// <param name="HasKafka">False to look at the ledger and the tables only.</param>
/// <param name="Wait">How long to look again while blocks are being stored.</param>
internal sealed record AuditSettings(string? Topic, DateTimeOffset? Since, bool HasKafka, TimeSpan Wait);

/// <summary>Looks at the positions, the ledger and the tables until they stand still, and audits what was seen.</summary>
/// <remarks>
/// The order matters. Positions first: what was committed then is in the ledger that is read after. The tables after the ledger:
/// a block is stored before its row, so a table that has fewer is wrong at any time. A table that has more is wrong only when
/// nothing moved meanwhile and no plan is open; else it is looked at again.
/// </remarks>
internal sealed class AuditRun(WeirOptions options, AuditSettings settings, IWeirBackend backend, IStoreQuestions store, TimeProvider time)
{
    private static readonly TimeSpan _kafkaTimeout = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan _pause = TimeSpan.FromMilliseconds(500);

    private readonly LedgerQueries _queries = new(store);
    private readonly IReadOnlyList<AuditView> _views =
        [.. options.EffectiveViews.Select(view => AuditView.Of(view, options.Writer.Retention))];

    /// <summary>Audits.</summary>
    /// <exception cref="CommandException">It could not look; the message says why.</exception>
    public async Task<AuditReport> RunAsync(CancellationToken cancel)
    {
        var tables = await _queries.ReadTablesAsync(cancel);
        if (!tables.Contains(LedgerQueries.Table))
        {
            throw new CommandException(
                $"there is no table {LedgerQueries.Table} in {options.Writer.Database}: "
                + "nothing has been stored there with a ledger; start 'weir run'");
        }

        var from = time.GetTimestamp();
        while (true)
        {
            var report = await LookAsync(tables, cancel);
            if (report.Verdict == AuditVerdict.Exact || time.GetElapsedTime(from) >= settings.Wait || !MaySettle(report))
            {
                return report;
            }

            await Task.Delay(_pause, time, cancel);
        }
    }

    /// <summary>
    /// Only rows that are ahead of the ledger can be explained by what is stored a moment later. Without Kafka nothing says that a
    /// cut is in flight, so any look at such rows may be repeated.
    /// </summary>
    private bool MaySettle(AuditReport report) =>
        report.Verdict == AuditVerdict.Unsettled
        || (!settings.HasKafka
            && report.Gaps.Count + report.Overlaps.Count + report.Problems.Count == 0
            && report.Views.All(view => view.IsEqual || view.IsAhead));

    private async Task<AuditReport> LookAsync(HashSet<string> tables, CancellationToken cancel)
    {
        var positions = await ReadPositionsAsync(cancel);
        var fingerprint = await _queries.ReadFingerprintAsync(cancel);
        var sinceDay = settings.Since is { } since ? (int)(since.ToUnixTimeSeconds() / 86_400) : 0;
        var auditor = new LedgerAuditor(new AuditScope
        {
            Views = _views,
            Positions = positions,
            ViewsSince = await _queries.ReadViewsSinceAsync(cancel),
            Topic = settings.Topic,
            SinceDay = sinceDay,
            Now = await _queries.ReadNowAsync(cancel),
        });
        var condition = await _queries.ReadSinceConditionAsync(sinceDay, cancel);
        await foreach (var row in _queries.ReadLedgerAsync(condition, cancel))
        {
            auditor.Add(row);
        }

        var sums = new Dictionary<string, IReadOnlyDictionary<int, MeterSums>>(StringComparer.Ordinal);
        foreach (var view in _views.Where(view => tables.Contains(view.Name)))
        {
            sums[view.Name] = await _queries.ReadTableAsync(view, sinceDay, cancel);
        }

        var isMoving = await _queries.ReadFingerprintAsync(cancel) != fingerprint
            || !AreSame(positions, await ReadPositionsAsync(cancel));
        return auditor.Finish(sums, isMoving);
    }

    private async Task<IReadOnlyDictionary<PartitionKey, GroupPosition>?> ReadPositionsAsync(CancellationToken cancel) =>
        settings.HasKafka ? await backend.ReadPositionsAsync(options, _kafkaTimeout, cancel) : null;

    private static bool AreSame(
        IReadOnlyDictionary<PartitionKey, GroupPosition>? left, IReadOnlyDictionary<PartitionKey, GroupPosition>? right) =>
        left is null || right is null
        || (left.Count == right.Count && left.All(pair => right.TryGetValue(pair.Key, out var other)
            && other.CommittedOffset == pair.Value.CommittedOffset && other.PlannedTo == pair.Value.PlannedTo));
}
