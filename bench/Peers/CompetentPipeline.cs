using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Google.Protobuf;
using Weir.Bench.Paths;
using Weir.Tests.Goflow2;
using Weir.V1;

namespace Weir.Bench.Peers;

/// <summary>
/// Competent .NET: Google.Protobuf, and a dictionary of struct keys and values for each view, folded by reference
/// (<c>CollectionsMarshal</c>) and used again from cut to cut; the same output as Weir.
/// </summary>
/// <remarks>Each record is folded into both views, as most such programs do. One thread.</remarks>
internal sealed class CompetentPipeline : IDisposable
{
    private readonly Dictionary<EdgeKey, EdgeSums> _seconds = [];
    private readonly Dictionary<EdgeKey, EdgeSums> _minutes = [];
    private readonly Dictionary<string, int> _exporters = [];
    private readonly Dictionary<ByteString, int> _samplers = [];
    private readonly List<string> _exporterTexts = [];
    private readonly EdgeBlocks _blocks = new();

    /// <summary>Gets each block, for a comparison with Weir's; null for nobody.</summary>
    public Action<IReadOnlyList<ReadOnlyMemory<byte>>>? BlockBuilt { get; set; }

    /// <summary>The whole path on <c>weir-proto</c> messages.</summary>
    public PathResult RunProto(byte[][] messages)
    {
        foreach (var message in messages)
        {
            foreach (var record in FlowBatch.Parser.ParseFrom(message).Records)
            {
                Fold(record);
            }
        }

        return Finish();
    }

    /// <summary>The whole path on delimited goflow2 messages.</summary>
    public PathResult RunGoflow2(byte[][] messages)
    {
        foreach (var message in messages)
        {
            var input = new CodedInputStream(message);
            while (!input.IsAtEnd)
            {
                var record = new FlowMessage();
                input.ReadMessage(record);
                Fold(record);
            }
        }

        return Finish();
    }

    public void Dispose() => _blocks.Dispose();

    /// <summary>An address as 128 bits; of 4 bytes in the form of IPv6.</summary>
    internal static UInt128 Address(ByteString bytes) => bytes.Length switch
    {
        4 => 0xffff_0000_0000 | (UInt128)BinaryPrimitives.ReadUInt32BigEndian(bytes.Span),
        16 => BinaryPrimitives.ReadUInt128BigEndian(bytes.Span),
        _ => UInt128.Zero,
    };

    private void Fold(FlowRecord record)
    {
        var tags = record.Tags;
        ref var exporter = ref CollectionsMarshal.GetValueRefOrAddDefault(_exporters, tags.Exporter, out var isKnown);
        if (!isKnown)
        {
            exporter = AddExporter(tags.Exporter);
        }

        var rate = Math.Max(record.SamplingRate, 1);
        var sums = EdgeSums.Of(record, rate);
        Fold(
            new EdgeKey(
                Address(tags.SrcAddr), Address(tags.DstAddr), (uint)record.Time, (ushort)tags.DstPort, (byte)tags.Proto, exporter),
            sums);
    }

    private void Fold(FlowMessage message)
    {
        ref var exporter = ref CollectionsMarshal.GetValueRefOrAddDefault(_samplers, message.SamplerAddress, out var isKnown);
        if (!isKnown)
        {
            exporter = AddExporter(new System.Net.IPAddress(message.SamplerAddress.Span).MapToIPv4().ToString());
        }

        var rate = Math.Max(message.SamplingRate, 1);
        var isTcp = message.Proto == 6;
        var sums = new EdgeSums
        {
            Records = 1,
            Flows = 1,
            Packets = message.Packets * rate,
            Bytes = message.Bytes * rate,
            TcpSyn = isTcp ? (message.TcpFlags >> 1) & 1 : 0,
            TcpFin = isTcp ? message.TcpFlags & 1 : 0,
            TcpRst = isTcp ? (message.TcpFlags >> 2) & 1 : 0,
            DurationMs = (message.TimeFlowEndNs - message.TimeFlowStartNs) / 1_000_000,
        };
        Fold(
            new EdgeKey(
                Address(message.SrcAddr),
                Address(message.DstAddr),
                (uint)(message.TimeFlowStartNs / 1_000_000_000),
                (ushort)message.DstPort,
                (byte)message.Proto,
                exporter),
            sums);
    }

    private void Fold(in EdgeKey key, in EdgeSums sums)
    {
        CollectionsMarshal.GetValueRefOrAddDefault(_seconds, key, out _).Add(sums);
        CollectionsMarshal.GetValueRefOrAddDefault(_minutes, key with { Time = key.Time / 60 * 60 }, out _).Add(sums);
    }

    private int AddExporter(string text)
    {
        _exporterTexts.Add(text);
        return _exporterTexts.Count - 1;
    }

    private PathResult Finish()
    {
        var result = default(PathResult);
        foreach (var series in (Dictionary<EdgeKey, EdgeSums>[])[_seconds, _minutes])
        {
            result = result.Plus(_blocks.Build(series, _exporterTexts));
            BlockBuilt?.Invoke(_blocks.Pieces);
            series.Clear(); // Keeps its capacity.
        }

        return result;
    }
}
