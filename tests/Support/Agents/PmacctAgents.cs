using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Weir.Tests.Support.Agents;

/// <summary>pmacct's agents with the configurations that docs/agents.md gives to users.</summary>
internal static class PmacctAgents
{
    /// <summary>A <c>pmacctd</c> that watches the loopback interface and produces JSON every second.</summary>
    public static AgentProcess StartPmacctd(string directory, string bootstrap, string topic, string filter) => Start("pmacctd", directory, $"""
        daemonize: false
        pcap_interface: lo
        pcap_filter: {filter}
        aggregate: src_host, dst_host, src_port, dst_port, proto, tos, tcpflags
        timestamps_since_epoch: true
        plugins: kafka
        kafka_history: 1m
        kafka_history_roundoff: m
        {Kafka(bootstrap, topic)}
        """);

    /// <summary>An <c>nfacctd</c> that collects NetFlow on a port of 127.0.0.1 and produces JSON every second.</summary>
    public static AgentProcess StartNfacctd(string directory, string bootstrap, string topic, int port) => Start("nfacctd", directory, $"""
        daemonize: false
        nfacctd_ip: 127.0.0.1
        nfacctd_port: {port.ToString(CultureInfo.InvariantCulture)}
        aggregate: peer_src_ip, src_host, dst_host, src_port, dst_port, proto, tos, tcpflags, timestamp_start, timestamp_end
        timestamps_since_epoch: true
        plugins: kafka
        {Kafka(bootstrap, topic)}
        """);

    /// <summary>Lets <c>softflowd</c> read a capture and export it as NetFlow v9; returns when all is sent.</summary>
    public static void ExportCapture(string directory, string pcap, int port) => AgentProcess.Run(
        "softflowd", "-d", "-r", pcap, "-n", string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{port}"), "-v", "9",
        "-m", "100000", "-p", Path.Combine(directory, "softflowd.pid"), "-c", "none");

    /// <summary>A free UDP port of 127.0.0.1.</summary>
    public static int FreeUdpPort()
    {
        using var socket = new UdpClient(new IPEndPoint(IPAddress.Loopback, 0));
        return ((IPEndPoint)socket.Client.LocalEndPoint!).Port;
    }

    private static string Kafka(string bootstrap, string topic) => $"""
        kafka_broker_host: {bootstrap.Split(':')[0]}
        kafka_broker_port: {bootstrap.Split(':')[1]}
        kafka_topic: {topic}
        kafka_output: json
        kafka_refresh_time: 1
        kafka_multi_values: 65536
        """;

    private static AgentProcess Start(string program, string directory, string configuration)
    {
        string file = Path.Combine(directory, program + ".conf");
        File.WriteAllText(file, configuration.ReplaceLineEndings("\n") + "\n");
        AgentProcess agent = AgentProcess.Start(program, "-f", file);
        agent.WaitFor("JSON: setting object handlers"); // The plugin is up; the core reads its socket or interface already.
        return agent;
    }
}
