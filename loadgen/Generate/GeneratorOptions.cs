namespace Weir.Loadgen.Generate;

/// <summary>What flow records to make. The same options make the same bytes.</summary>
public sealed record GeneratorOptions
{
    /// <summary>One of <see cref="Weir.Codecs.Flow.FlowFormats.Names"/>.</summary>
    public string Format { get; init; } = "weir";

    /// <summary>The seed of all that is drawn.</summary>
    public ulong Seed { get; init; } = 1;

    /// <summary>Event time of the first record, whole seconds since the epoch.</summary>
    public required long StartSecond { get; init; }

    /// <summary>Partitions of the topic.</summary>
    public int PartitionCount { get; init; } = 4;

    /// <summary>Records of a full message.</summary>
    public int RecordsPerMessage { get; init; } = 1_000;

    /// <summary>A series has one partition (by the hash of its tag set); else messages take the partitions in turn.</summary>
    public bool IsKeyed { get; init; }

    /// <summary>Series that exist at a time.</summary>
    public int SeriesCount { get; init; } = 100_000;

    /// <summary>Exponent of the zipf distribution by which series are drawn; 0 draws them alike.</summary>
    public double SeriesExponent { get; init; } = 1.1;

    /// <summary>Share of the series that are replaced by new ones in each second of event time.</summary>
    public double ChurnPerSecond { get; init; }

    /// <summary>Sites; each has <see cref="AgentsPerPop"/> agents (exporters).</summary>
    public int PopCount { get; init; } = 20;

    /// <summary>Exporters of a site.</summary>
    public int AgentsPerPop { get; init; } = 5;

    /// <summary>Customers: values of dst_as.</summary>
    public int CustomerCount { get; init; } = 200;

    /// <summary>Zones of a customer: a destination network of 256 addresses each.</summary>
    public int ZonesPerCustomer { get; init; } = 20;

    /// <summary>Records of a zone: destination addresses.</summary>
    public int RecordsPerZone { get; init; } = 10;

    /// <summary>Clients: source addresses.</summary>
    public int ClientCount { get; init; } = 50_000;

    /// <summary>Share of the series that speak IPv6.</summary>
    public double Ipv6Share { get; init; } = 0.1;

    /// <summary>Distributions that replace the above for single tags.</summary>
    public IReadOnlyDictionary<string, TagValues> Tags { get; init; } = new Dictionary<string, TagValues>();

    /// <summary>Share of records that belong to the hot keys.</summary>
    public double HotShare { get; init; }

    /// <summary>Hot keys.</summary>
    public int HotKeyCount { get; init; } = 1;

    /// <summary>Share of records in which <see cref="AttackTag"/> has a value that never came before.</summary>
    public double AttackShare { get; init; }

    /// <summary>src_addr, dst_addr, src_port or exporter.</summary>
    public string AttackTag { get; init; } = "src_addr";

    /// <summary>Share of records that lie <see cref="LateBy"/> back.</summary>
    public double LateShare { get; init; }

    /// <summary>How far back late records lie.</summary>
    public TimeSpan LateBy { get; init; } = TimeSpan.FromDays(8);

    /// <summary>Share of records that lie <see cref="FutureBy"/> ahead.</summary>
    public double FutureShare { get; init; }

    /// <summary>How far ahead future records lie.</summary>
    public TimeSpan FutureBy { get; init; } = TimeSpan.FromMinutes(20);

    /// <summary>Share of records that do not decode.</summary>
    public double MalformedShare { get; init; }

    /// <summary>Share of records that come out of order, up to <see cref="OutOfOrderBy"/> back.</summary>
    public double OutOfOrderShare { get; init; }

    /// <summary>How far back records out of order lie at most.</summary>
    public TimeSpan OutOfOrderBy { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>Share of the agents whose clock is wrong.</summary>
    public double SkewedAgentShare { get; init; }

    /// <summary>How wrong their clocks are at most, either way.</summary>
    public TimeSpan SkewMax { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>Sampling rate in each record.</summary>
    public ulong SamplingRate { get; init; } = 1;

    /// <summary>The weir's <c>time.past_max</c>: what lies further back is expected to be late.</summary>
    public TimeSpan PastMax { get; init; } = TimeSpan.FromDays(7);

    /// <summary>The weir's <c>time.future_max</c>.</summary>
    public TimeSpan FutureMax { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>How fast, and so how event time goes on.</summary>
    public RateShape Rate { get; init; } = RateShape.Steady(100_000);

    /// <summary>True when <see cref="Rate"/> is bytes a second, not records a second.</summary>
    public bool IsRateInBytes { get; init; }

    /// <summary>Counts the rows of each view: exact, but 24 bytes of memory a row.</summary>
    public bool CountsRows { get; init; }

    /// <summary>Checks the numbers.</summary>
    /// <exception cref="ArgumentException">One of them is not allowed; the message names it and what is allowed.</exception>
    public void Validate()
    {
        Check(Weir.Codecs.Flow.FlowFormats.Names.Contains(Format), "--format", string.Join(", ", Weir.Codecs.Flow.FlowFormats.Names));
        Check(PartitionCount is >= 1 and <= 100_000, "partitions", "1 to 100000");
        Check(RecordsPerMessage is >= 1 and <= 65_536, "--records-per-message", "1 to 65536");
        Check(SeriesCount is >= 1 and <= 50_000_000, "--series", "1 to 50000000");
        Check(SeriesExponent is >= 0 and <= 10, "--series-exponent", "0 to 10");
        Check(ChurnPerSecond is >= 0 and <= 1, "--churn", "0 to 1");
        Check(PopCount is >= 1 and <= 200 && AgentsPerPop is >= 1 and <= 200, "--pops and --agents", "1 to 200");
        Check(CustomerCount >= 1 && ZonesPerCustomer >= 1
            && (long)CustomerCount * ZonesPerCustomer <= 16_384, "--customers times --zones", "1 to 16384");
        Check(RecordsPerZone is >= 1 and <= 250, "--records-per-zone", "1 to 250");
        Check(ClientCount is >= 1 and <= 16_000_000, "--clients", "1 to 16000000");
        Check(HotKeyCount >= 1 && HotKeyCount <= SeriesCount, "--hot-keys", "1 to the number of series");
        Check(AttackTag is "src_addr" or "dst_addr" or "src_port" or "exporter", "--attack", "src_addr, dst_addr, src_port and exporter");
        Check(SamplingRate is >= 1 and <= 1_000_000, "--sampling-rate", "1 to 1000000");
        Check(LateBy >= TimeSpan.Zero && FutureBy >= TimeSpan.Zero && OutOfOrderBy >= TimeSpan.Zero
            && SkewMax >= TimeSpan.Zero, "durations", "0s and more");
        Check(StartSecond is > 0 and < uint.MaxValue, "--start", "1970 to 2106");
        double[] shares = [Ipv6Share, HotShare, AttackShare, LateShare, FutureShare, MalformedShare, OutOfOrderShare, SkewedAgentShare];
        Check(shares.All(share => share is >= 0 and <= 1), "shares", "0 to 1");
        Check(LateShare + FutureShare + MalformedShare
            + OutOfOrderShare <= 1, "--late, --future, --malformed and --out-of-order together", "0 to 1");
    }

    private static void Check(bool isAllowed, string what, string allowed)
    {
        if (!isAllowed)
        {
            throw new ArgumentException($"{what}: allowed are {allowed}.");
        }
    }
}
