using System.Text;
using Weir.Codecs.Flow;
using Weir.Core.Hashing;

namespace Weir.Loadgen.Generate;

/// <summary>A message of the generator.</summary>
/// <param name="Partition">Where it goes.</param>
/// <param name="TimestampMs">Its time, ms since the epoch: the event time at which it was opened.</param>
/// <param name="DueSeconds">When it is due, since the start.</param>
/// <param name="Value">Its value; the receiver's own.</param>
/// <param name="RecordCount">Records in it, bad ones among them.</param>
/// <param name="Totals">What they add up to; valid until the next message is asked for.</param>
public readonly record struct GeneratedMessage(
    int Partition, long TimestampMs, double DueSeconds, byte[] Value, int RecordCount, GeneratedTotals Totals);

/// <summary>Makes flow records and packs them into messages: a pure function of its options.</summary>
/// <remarks>One thread. No clock: event time follows from the rate and the number of records.</remarks>
public sealed class Generator
{
    private const double OpenSecondsMax = 1; // A keyed message that does not fill goes after so long.
    private const byte ProtoTcp = 6;
    private const ushort FlagFin = 1;
    private const ushort FlagSyn = 2;
    private const ushort FlagRst = 4;
    private static readonly ushort[] _tcpFlags = [0x1b, 0x1b, 0x18, 0x10, 0x02, 0x12, 0x14, 0x1a];

    private readonly GeneratorOptions _options;
    private readonly SeriesSet _series;
    private readonly WeightedDraw _draw;
    private readonly OpenMessage[] _open;
    private readonly Stack<GeneratedTotals> _usedTotals = [];
    private readonly long[] _skewSeconds;
    private readonly bool _hasOwnMeters;
    private readonly bool _hasFlows;
    private readonly long _pastMaxMs;
    private readonly long _futureMaxMs;
    private readonly byte[][] _exporters;
    private SeededRandom _random;
    private FlowRecord _record;
    private SeriesTags _attacked;
    private uint _attackCount;
    private double _at;
    private long _churnedUntil;

    /// <summary>Makes the series; for millions of them that takes a second.</summary>
    /// <exception cref="ArgumentException">An option is not allowed.</exception>
    public Generator(GeneratorOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        _options = options;
        _series = new SeriesSet(options);
        _exporters = [.. _series.Exporters];
        _record = new FlowRecord { SamplingRate = options.SamplingRate };
        _draw = options.SeriesExponent > 0 ? WeightedDraw.Zipf(options.SeriesCount, options.SeriesExponent)
            : WeightedDraw.Uniform(options.SeriesCount);
        var shared = options.IsKeyed ? null : NewEncoder(); // One message is open at a time then: its memory stays in the cache.
        _open = [.. Enumerable.Range(0, options.PartitionCount).Select(
            _ => new OpenMessage(shared ?? NewEncoder(), new GeneratedTotals(options.CountsRows)))];
        _hasOwnMeters = options.Format.StartsWith("weir", StringComparison.Ordinal);
        _hasFlows = !options.Format.StartsWith("goflow2", StringComparison.Ordinal);
        _pastMaxMs = (long)options.PastMax.TotalMilliseconds;
        _futureMaxMs = (long)options.FutureMax.TotalMilliseconds;
        _random = new SeededRandom(TagHash.Combine(options.Seed, 1));
        _skewSeconds = MakeSkews();
        Totals = new GeneratedTotals(options.CountsRows);
    }

    /// <summary>What the messages that were given so far add up to; records of messages that are not full yet are not in it.</summary>
    public GeneratedTotals Totals { get; }

    /// <summary>The messages, one after another, made when they are asked for.</summary>
    /// <param name="recordsMax">Records after which it ends.</param>
    public IEnumerable<GeneratedMessage> Messages(long recordsMax = long.MaxValue)
    {
        var turn = 0;
        var ready = new List<GeneratedMessage>();
        for (long left = recordsMax; left > 0;)
        {
            var count = (int)Math.Min(left, _options.RecordsPerMessage);
            left -= count;
            Turn(count, turn, ready);
            turn = (turn + 1) % _open.Length;
            if (left == 0 && _options.IsKeyed)
            {
                TakeOpen(double.MaxValue, ready);
            }

            foreach (var message in ready)
            {
                Totals.Add(message.Totals, 1);
                yield return message;
                message.Totals.Clear();
                _usedTotals.Push(message.Totals);
            }

            ready.Clear();
        }
    }

    private FlowEncoder NewEncoder() => FlowEncoder.Create(_options.Format, _options.RecordsPerMessage);

    private void Turn(int count, int turn, List<GeneratedMessage> ready)
    {
        var start = _at;
        var end = _options.IsRateInBytes ? start : _options.Rate.After(start, count);
        for (var index = 0; index < count; index++)
        {
            _at = start + ((end - start) * index / count);
            Churn();
            MakeRecord(turn, ready);
        }

        _at = end;
        if (_options.IsKeyed)
        {
            TakeOpen(_at - OpenSecondsMax, ready);
        }
        else if (_open[turn].Encoder.Count > 0)
        {
            ready.Add(Take(turn)); // The last one of all, which is not full.
        }

        if (_options.IsRateInBytes)
        {
            _at = _options.Rate.After(_at, ready.Sum(message => (double)message.Value.Length));
        }
    }

    private void Churn()
    {
        if (_options.ChurnPerSecond > 0)
        {
            for (; _churnedUntil < (long)_at; _churnedUntil++)
            {
                _series.Churn();
            }
        }
    }

    private void MakeRecord(int turn, List<GeneratedMessage> ready)
    {
        var isHot = _options.HotShare > 0 && _random.Unit() < _options.HotShare;
        var slot = isHot ? (int)_random.Below((ulong)_options.HotKeyCount) : _draw.Draw(ref _random);
        ref readonly var tags = ref _series.At(slot);
        ReadOnlyMemory<byte> exporter = _exporters[tags.Exporter];
        if (_options.AttackShare > 0 && _random.Unit() < _options.AttackShare)
        {
            _attacked = tags;
            tags = ref _attacked;
            Attack(ref _attacked, ref exporter);
        }

        var partition = _options.IsKeyed ? (int)Math.BigMul(tags.Hash, (ulong)_open.Length, out _) : turn;
        var open = _open[partition];
        if (open.Encoder.Count == 0)
        {
            open.Seconds = _at;
            open.TimestampMs = (_options.StartSecond * 1_000) + (long)(_at * 1_000);
        }

        ref var record = ref _record; // All that differs from record to record is set below.
        record.Exporter = exporter;
        FillTags(ref record, tags);
        FillMeters(ref record);
        var isMalformed = FillTime(ref record, _skewSeconds.Length == 0 ? 0 : _skewSeconds[tags.Exporter], open.Totals);
        open.Encoder.Add(record, isMalformed);
        Count(open.Totals, record, tags, open.TimestampMs, isMalformed);
        if (open.Encoder.Count == _options.RecordsPerMessage)
        {
            ready.Add(Take(partition));
        }
    }

    private void Count(GeneratedTotals totals, in FlowRecord record, in SeriesTags tags, long messageMs, bool isMalformed)
    {
        totals.RecordCount++;
        var ageMs = messageMs - ((long)record.TimeSeconds * 1_000);
        if (isMalformed)
        {
            totals.MalformedCount++;
        }
        else if (ageMs > _pastMaxMs || -ageMs > _futureMaxMs)
        {
            totals.LateCount++;
        }
        else
        {
            totals.Add(record, tags);
        }
    }

    /// <summary>Sets the time.</summary>
    /// <returns>True when the record shall not decode.</returns>
    private bool FillTime(ref FlowRecord record, long skewSeconds, GeneratedTotals totals)
    {
        var second = _options.StartSecond + (long)_at + skewSeconds;
        var roll = _options.LateShare + _options.FutureShare + _options.MalformedShare + _options.OutOfOrderShare > 0 ? _random.Unit() : 1;
        var isMalformed = false;
        if (roll < _options.LateShare)
        {
            second -= (long)_options.LateBy.TotalSeconds;
        }
        else if ((roll -= _options.LateShare) < _options.FutureShare)
        {
            second += (long)_options.FutureBy.TotalSeconds;
        }
        else if ((roll -= _options.FutureShare) < _options.OutOfOrderShare)
        {
            second -= (long)_random.Below((ulong)_options.OutOfOrderBy.TotalSeconds + 1);
            totals.OutOfOrderCount++;
        }
        else
        {
            isMalformed = roll - _options.OutOfOrderShare < _options.MalformedShare;
        }

        record.TimeSeconds = (ulong)Math.Clamp(second, 1, uint.MaxValue);
        return isMalformed;
    }

    private static void FillTags(ref FlowRecord record, in SeriesTags tags)
    {
        record.SrcAddr = tags.SrcAddr;
        record.DstAddr = tags.DstAddr;
        record.SrcPort = tags.SrcPort;
        record.DstPort = tags.DstPort;
        record.Proto = tags.Proto;
        record.Tos = tags.Tos;
        record.SrcAs = tags.SrcAs;
        record.DstAs = tags.DstAs;
        record.SrcMask = tags.SrcMask;
        record.DstMask = tags.DstMask;
        record.InIf = tags.InIf;
        record.OutIf = tags.OutIf;
        record.Vlan = tags.Vlan;
    }

    private void FillMeters(ref FlowRecord record)
    {
        var bits = _random.Next();
        var more = _random.Next();
        record.Flows = _hasFlows ? 1 + (bits & 1 & (bits >> 1) & (bits >> 2)) : 1;
        record.Packets = 1 + ((bits >> 8) & (0xffUL >> (int)((bits >> 3) & 7)));
        record.Bytes = record.Packets * (40 + ((bits >> 16) % 1_460));
        record.DurationMs = (bits >> 32) % 60_000;
        var isTcp = record.Proto == ProtoTcp;
        record.TcpFlags = isTcp ? _tcpFlags[more & 7] : (ushort)0;
        record.TcpSyn = (record.TcpFlags & FlagSyn) != 0 ? 1UL : 0;
        record.TcpFin = (record.TcpFlags & FlagFin) != 0 ? 1UL : 0;
        record.TcpRst = (record.TcpFlags & FlagRst) != 0 ? 1UL : 0;
        if (_hasOwnMeters)
        {
            record.RttUs = isTcp ? 200 + ((more >> 8) % 80_000) : 0;
            record.RttCount = isTcp ? 1UL : 0;
            record.Retransmissions = isTcp ? (more >> 32) & 1 & (more >> 33) & (more >> 34) : 0;
        }
    }

    private void Attack(ref SeriesTags tags, ref ReadOnlyMemory<byte> exporter)
    {
        var number = _attackCount++;
        var exporterHash = _series.ExporterHash(tags.Exporter);
        switch (_options.AttackTag)
        {
            case "src_addr":
                tags.SrcAddr = FlowRecord.Ipv4(0xc000_0000 + (number & 0x1fff_ffff));
                break;
            case "dst_addr":
                tags.DstAddr = FlowRecord.Ipv4(0xc000_0000 + (number & 0x1fff_ffff));
                break;
            case "src_port":
                tags.SrcPort = (ushort)number;
                break;
            default:
                exporter = Encoding.UTF8.GetBytes($"11.{(number >> 16) & 255}.{(number >> 8) & 255}.{number & 255}");
                exporterHash = TagHash.OfText(exporter.Span);
                break;
        }

        SeriesSet.Hash(ref tags, exporterHash);
    }

    private long[] MakeSkews()
    {
        if (_options.SkewedAgentShare <= 0)
        {
            return [];
        }

        var random = new SeededRandom(TagHash.Combine(_options.Seed, 2));
        var max = (long)_options.SkewMax.TotalSeconds;
        var skews = new long[_series.Exporters.Count];
        for (var index = 0; index < skews.Length; index++)
        {
            skews[index] = random.Unit() < _options.SkewedAgentShare ? (long)random.Below((2 * (ulong)max) + 1) - max : 0;
        }

        return skews;
    }

    private void TakeOpen(double openedBefore, List<GeneratedMessage> ready)
    {
        for (var partition = 0; partition < _open.Length; partition++)
        {
            if (_open[partition].Encoder.Count > 0 && _open[partition].Seconds <= openedBefore)
            {
                ready.Add(Take(partition));
            }
        }
    }

    private GeneratedMessage Take(int partition)
    {
        var open = _open[partition];
        var recordCount = open.Encoder.Count;
        var value = open.Encoder.Finish();
        var totals = open.Totals;
        totals.MessageCount = 1;
        totals.MessageBytes = value.Length;
        totals.SeriesMadeCount = _series.SeriesMadeCount;
        open.Totals = _usedTotals.TryPop(out var used) ? used : new GeneratedTotals(_options.CountsRows);
        return new GeneratedMessage(partition, open.TimestampMs, _at, value, recordCount, totals);
    }

    private sealed class OpenMessage(FlowEncoder encoder, GeneratedTotals totals)
    {
        public FlowEncoder Encoder { get; } = encoder;

        public GeneratedTotals Totals { get; set; } = totals;

        public double Seconds { get; set; }

        public long TimestampMs { get; set; }
    }
}
