using Weir.Core.Buffers;
using Weir.Core.Model;

namespace Weir.Bench;

/// <summary>Cuts of the standard schema's finest view as a busy site fills them: few servers, many clients, IPv4 and IPv6, 10 s.</summary>
public sealed unsafe class BenchCuts : IDisposable
{
    private const int Seed = 20260101;
    private const uint Start = 1_767_225_600;
    private readonly SlabPool _pool;

    public BenchCuts()
    {
        Schema = StreamSchema.Compile([StandardSchema.Views[0]]);
        RowBytes = Schema.Views[0].KeyBytes + Schema.MeterBytes;
        _pool = new SlabPool(RowBytes * RowStore.RowsPerSlab, 1L << 30, Budget);
    }

    public StreamSchema Schema { get; }

    public MemoryBudget Budget { get; } = new(8L << 30);

    public int RowBytes { get; }

    /// <summary>A cut of distinct rows in random order, the same for each call.</summary>
    public Cut Make(int rowCount)
    {
        var random = new Random(Seed);
        var strings = new StringDictionary(1 << 16);
        var exporters = Enumerable.Range(1, 20)
            .Select(host => strings.Intern(System.Text.Encoding.ASCII.GetBytes($"10.9.0.{host}")))
            .ToArray();
        var rows = new RowStore(_pool, RowBytes);
        var view = Schema.Views[0];
        var offsets = view.Tags.Select(slot => slot.OffsetBytes).ToArray(); // src, dst, port, proto, exporter
        ushort[] ports = [443, 443, 443, 80, 53, 22, 8080, 5432, 9092, 123];
        for (var index = 0; index < rowCount; index++)
        {
            var row = rows.Append();
            new Span<byte>(row, RowBytes).Clear();
            var port = ports[random.Next(ports.Length)];
            *(ulong*)row = Start + (uint)random.Next(10);
            WriteAddress(row + offsets[0], random, 40_000);
            WriteAddress(row + offsets[1], random, (int)(300 * random.NextDouble() * random.NextDouble()) + 1);
            *(ushort*)(row + offsets[2]) = port;
            *(row + offsets[3]) = port is 53 or 123 ? (byte)17 : (byte)6;
            *(uint*)(row + offsets[4]) = exporters[random.Next(exporters.Length)];
            var meters = (ulong*)(row + view.KeyBytes);
            var records = 1 + (ulong)(4 * random.NextDouble() * random.NextDouble());
            meters[0] = records;
            meters[1] = records;
            meters[2] = records * (ulong)random.Next(1, 60);
            meters[3] = meters[2] * (ulong)random.Next(40, 1_500);
            meters[4] = records;
            meters[5] = random.Next(2) == 0 ? 0UL : records;
            meters[8] = records * (ulong)random.Next(200, 90_000);
            meters[9] = records;
            meters[10] = records * (ulong)random.Next(1, 60_000);
        }

        var cut = new Cut(new PartitionKey("flows", 0), 0, 1, 1, strings) { ToOffset = rowCount };
        cut.SetRows(0, 0, rows);
        var folded = 0L;
        for (var index = 0; index < rowCount; index++)
        {
            folded += *(long*)(rows[index] + view.KeyBytes);
        }

        cut.ReadCount = folded;
        _ = cut.CompleteShard(0, folded);
        return cut;
    }

    public void Dispose() => _pool.Dispose();

    private static void WriteAddress(byte* address, Random random, int hosts)
    {
        var host = (uint)random.Next(hosts);
        if (random.Next(5) == 0)
        {
            address[0] = 0x20;
            address[1] = 0x01;
            address[2] = 0x0D;
            address[3] = 0xB8;
        }
        else
        {
            address[10] = 0xFF;
            address[11] = 0xFF;
            address[12] = 10;
        }

        address[13] = (byte)(host >> 16);
        address[14] = (byte)(host >> 8);
        address[15] = (byte)host;
    }
}
