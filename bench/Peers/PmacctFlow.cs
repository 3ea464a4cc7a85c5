using System.Text.Json.Serialization;

namespace Weir.Bench.Peers;

/// <summary>A line of pmacct's with all its keys, for System.Text.Json with generated code.</summary>
public sealed class PmacctFlow
{
    [JsonPropertyName("event_type")]
    public string? EventType { get; set; }

    [JsonPropertyName("peer_ip_src")]
    public string? PeerIpSrc { get; set; }

    [JsonPropertyName("ip_src")]
    public string? IpSrc { get; set; }

    [JsonPropertyName("ip_dst")]
    public string? IpDst { get; set; }

    [JsonPropertyName("port_src")]
    public int PortSrc { get; set; }

    [JsonPropertyName("port_dst")]
    public int PortDst { get; set; }

    [JsonPropertyName("tcp_flags")]
    public string? TcpFlags { get; set; }

    [JsonPropertyName("ip_proto")]
    public string? IpProto { get; set; }

    [JsonPropertyName("tos")]
    public int Tos { get; set; }

    [JsonPropertyName("timestamp_start")]
    public string? TimestampStart { get; set; }

    [JsonPropertyName("timestamp_end")]
    public string? TimestampEnd { get; set; }

    [JsonPropertyName("packets")]
    public ulong Packets { get; set; }

    [JsonPropertyName("bytes")]
    public ulong Bytes { get; set; }
}

[JsonSerializable(typeof(PmacctFlow))]
internal sealed partial class PmacctFlowContext : JsonSerializerContext;
