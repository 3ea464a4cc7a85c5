using Weir.Codecs.Flow;

namespace Weir.Loadgen.Generate;

/// <summary>Writes records as the JSON of pmacct's Kafka plugin and of goflow2 does, one object a line.</summary>
internal static class JsonFlowWriter
{
    private const int ShortenBy = 20;

    /// <summary>Appends a line as pmacct writes it.</summary>
    public static void WritePmacct(ByteText to, in FlowRecord record, bool isMalformed)
    {
        to.Put("{\"event_type\": \"purge\", \"peer_ip_src\": \""u8);
        to.Put(record.Exporter.Span);
        to.Put("\", \"iface_in\": "u8, record.InIf);
        to.Put(", \"iface_out\": "u8, record.OutIf);
        to.Put(", \"ip_src\": \""u8, record.SrcAddr);
        to.Put("\", \"ip_dst\": \""u8, record.DstAddr);
        to.Put("\", \"port_src\": "u8, record.SrcPort);
        to.Put(", \"port_dst\": "u8, record.DstPort);
        to.Put(", \"as_src\": "u8, record.SrcAs);
        to.Put(", \"as_dst\": "u8, record.DstAs);
        to.Put(", \"mask_src\": "u8, record.SrcMask);
        to.Put(", \"mask_dst\": "u8, record.DstMask);
        to.Put(", \"vlan\": "u8, record.Vlan);
        to.Put(", \"tcp_flags\": \""u8, record.TcpFlags);
        to.Put("\", \"ip_proto\": "u8);
        switch (record.Proto)
        {
            case 6: to.Put("\"tcp\""u8); break;
            case 17: to.Put("\"udp\""u8); break;
            case 1: to.Put("\"icmp\""u8); break;
            case 58: to.Put("\"ipv6-icmp\""u8); break;
            default: to.Put("\""u8, record.Proto); to.Put("\""u8); break;
        }

        to.Put(", \"tos\": "u8, record.Tos);
        to.Put(", \"timestamp_start\": \""u8, record.TimeSeconds);
        to.Put(".000000\", \"timestamp_end\": \""u8, record.TimeSeconds + (record.DurationMs / 1_000));
        to.PutMillis("."u8, (uint)(record.DurationMs % 1_000));
        to.Put("000\", \"sampling_rate\": "u8, record.SamplingRate);
        to.Put(", \"packets\": "u8, record.Packets);
        to.Put(", \"flows\": "u8, record.Flows);
        to.Put(", \"bytes\": "u8, record.Bytes);
        End(to, isMalformed);
    }

    /// <summary>Appends a line as goflow2 writes it.</summary>
    public static void WriteGoflow2(ByteText to, in FlowRecord record, bool isMalformed)
    {
        var endMs = (record.TimeSeconds * 1_000) + record.DurationMs;
        to.Put("{\"type\":\"NETFLOW_V9\",\"time_received_ns\":"u8, endMs);
        to.Put("000000,\"sampling_rate\":"u8, record.SamplingRate);
        to.Put(",\"sampler_address\":\""u8);
        to.Put(record.Exporter.Span);
        to.Put("\",\"time_flow_start_ns\":"u8, record.TimeSeconds);
        to.Put("000000000,\"time_flow_end_ns\":"u8, endMs);
        to.Put("000000,\"bytes\":"u8, record.Bytes);
        to.Put(",\"packets\":"u8, record.Packets);
        to.Put(",\"src_addr\":\""u8, record.SrcAddr);
        to.Put("\",\"dst_addr\":\""u8, record.DstAddr);
        to.Put("\",\"proto\":\""u8);
        to.Put(record.Proto switch { 6 => "TCP"u8, 17 => "UDP"u8, 1 => "ICMP"u8, 58 => "IPv6-ICMP"u8, _ => ""u8 });
        if (record.Proto is not (6 or 17 or 1 or 58))
        {
            to.Put([], record.Proto); // A protocol without a name that we know: by number, as text.
        }

        to.Put("\",\"src_port\":"u8, record.SrcPort);
        to.Put(",\"dst_port\":"u8, record.DstPort);
        to.Put(",\"in_if\":"u8, record.InIf);
        to.Put(",\"out_if\":"u8, record.OutIf);
        to.Put(",\"ip_tos\":"u8, record.Tos);
        to.Put(",\"src_as\":"u8, record.SrcAs);
        to.Put(",\"dst_as\":"u8, record.DstAs);
        to.Put(",\"vlan_id\":"u8, record.Vlan);
        to.Put(",\"tcp_flags\":"u8, record.TcpFlags);
        End(to, isMalformed);
    }

    private static void End(ByteText to, bool isMalformed)
    {
        if (isMalformed)
        {
            to.Truncate(to.Length - ShortenBy);
            to.Put("\n"u8);
        }
        else
        {
            to.Put("}\n"u8);
        }
    }
}
