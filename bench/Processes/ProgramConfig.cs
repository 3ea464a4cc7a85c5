namespace Weir.Bench.Processes;

/// <summary>The configuration of a measured program: both edge views, the embedded engine, options as they come.</summary>
internal static class ProgramConfig
{
    /// <summary>Between two flushes, as it comes.</summary>
    public static TimeSpan FlushInterval { get; } = TimeSpan.FromSeconds(10);

    /// <summary>librdkafka's properties in it: the embedded broker does not wake a waiting fetch for new data.</summary>
    public static IReadOnlyDictionary<string, string> KafkaProperties { get; } =
        new Dictionary<string, string> { ["fetch.wait.max.ms"] = "10" };

    /// <summary>The text of <c>weir.yaml</c>.</summary>
    /// <param name="bootstrap">The broker.</param>
    /// <param name="format">Of the topic.</param>
    /// <param name="directory">Where the store is to be.</param>
    /// <param name="group">The consumer group.</param>
    public static string Text(string bootstrap, string format, string directory, string group = "weir") => $$"""
        kafka:
          bootstrap: {{bootstrap}}
          group: {{group}}
          topics:
            - { name: {{Feeder.Topic}}, format: {{format}} }
          options: { {{string.Join(", ", KafkaProperties.Select(property => $"{property.Key}: {property.Value}"))}} }
        clickhouse: { embedded: {{Path.Combine(directory, "store")}} }
        memory: { limit: 4GiB }
        admin: { listen: 127.0.0.1:0 }
        views:
          - name: edge_1s
            granularity: 1s
            tags: [src_addr, dst_addr, dst_port, proto, exporter]
            order_by: [dst_addr, dst_port, proto, src_addr, exporter]
          - name: edge_1m
            granularity: 1m
            tags: [src_addr, dst_addr, dst_port, proto, exporter]
            order_by: [dst_addr, dst_port, proto, src_addr, exporter]

        """;
}
