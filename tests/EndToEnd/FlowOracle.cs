using System.Globalization;
using System.Net;
using System.Text;
using Weir.Codecs.Flow;
using Weir.Core.Model;

namespace Weir.Tests.EndToEnd;

/// <summary>What the standard views must hold, added up by the test itself from the records that it has made.</summary>
/// <remarks>Rows are lines: time, tags, then all meters, tab-separated; addresses as <see cref="IPAddress"/> prints them.</remarks>
internal sealed class FlowOracle
{
    private readonly Dictionary<string, Dictionary<string, ulong[]>> _views = StandardSchema.Views.ToDictionary(
        view => view.Name, _ => new Dictionary<string, ulong[]>());

    /// <summary>Records added.</summary>
    public long RecordCount { get; private set; }

    /// <summary>Names of the views.</summary>
    public static IReadOnlyList<string> Views { get; } = [.. StandardSchema.Views.Select(view => view.Name)];

    /// <summary>The rows of a view, sorted.</summary>
    public IReadOnlyList<string> Rows(string view) =>
        [.. _views[view].Select(row => $"{row.Key}\t{string.Join('\t', row.Value)}").Order(StringComparer.Ordinal)];

    /// <summary>Adds a record.</summary>
    public void Add(in FlowRecord record)
    {
        RecordCount++;
        var scale = Math.Max(record.SamplingRate, 1);
        ulong[] meters =
        [
            1, record.Flows, record.Packets * scale, record.Bytes * scale, record.TcpSyn, record.TcpFin, record.TcpRst,
            record.Retransmissions, record.RttUs, record.RttCount, record.DurationMs,
        ];
        var service = $"{Text(record.DstAddr)}\t{record.DstPort}\t{record.Proto}";
        var edge = $"{Text(record.SrcAddr)}\t{service}\t{Encoding.UTF8.GetString(record.Exporter.Span)}";
        foreach (var (view, rows) in _views)
        {
            var seconds = view.EndsWith("1m", StringComparison.Ordinal) ? 60UL : 1;
            var key = $"{record.TimeSeconds / seconds * seconds}\t{(view.StartsWith("edge", StringComparison.Ordinal) ? edge : service)}";
            if (rows.TryGetValue(key, out var sums))
            {
                for (var index = 0; index < sums.Length; index++)
                {
                    sums[index] += meters[index];
                }
            }
            else
            {
                rows.Add(key, [.. meters]);
            }
        }
    }

    /// <summary>The SQL for a view as <see cref="Rows"/> gives it, but for the form of addresses; for any version of ClickHouse.</summary>
    public static string Sql(string view)
    {
        var definition = StandardSchema.Views.Single(candidate => candidate.Name == view);
        var tags = string.Join(
            ", ", definition.Tags.Select(tag => tag.Type == TagType.Address ? $"IPv6NumToString({tag.Name})" : tag.Name));
        var sums = string.Join(", ", definition.Meters.Select(meter => $"sum({meter.Name})"));
        var keys = string.Join(", ", definition.Tags.Select(tag => tag.Name));
        return $"SELECT toUInt32(time), {tags}, {sums} FROM {view} GROUP BY time, {keys}";
    }

    /// <summary>The rows of a view as a store holds them, in the form of <see cref="Rows"/>.</summary>
    public static async Task<IReadOnlyList<string>> StoredAsync(WeirRun run, string view)
    {
        var addressCount = view.StartsWith("edge", StringComparison.Ordinal) ? 2 : 1;
        return
        [
            .. (await run.QueryAsync(Sql(view))).Select(row =>
            {
                var columns = row.Split('\t');
                for (var index = 1; index <= addressCount; index++)
                {
                    columns[index] = IPAddress.Parse(columns[index]).ToString();
                }

                return string.Join('\t', columns);
            }).Order(StringComparer.Ordinal),
        ];
    }

    /// <summary>Fails unless every view of the store holds exactly these records.</summary>
    public async Task AssertStoredAsync(WeirRun run)
    {
        foreach (var view in Views)
        {
            Xunit.Assert.Equal(Rows(view), await StoredAsync(run, view));
        }
    }

    /// <summary>An address of a record as text, IPv4 within IPv6.</summary>
    public static string Text(UInt128 address)
    {
        Span<byte> bytes = stackalloc byte[16];
        System.Buffers.Binary.BinaryPrimitives.WriteUInt128BigEndian(bytes, address);
        return new IPAddress(bytes).ToString();
    }

    /// <summary>An address as agents write it: IPv4 without the prefix.</summary>
    public static string AgentText(UInt128 address)
    {
        var parsed = IPAddress.Parse(Text(address));
        return (parsed.IsIPv4MappedToIPv6 ? parsed.MapToIPv4() : parsed).ToString();
    }

    /// <summary>A number without a culture.</summary>
    public static string Number(ulong number) => number.ToString(CultureInfo.InvariantCulture);
}
