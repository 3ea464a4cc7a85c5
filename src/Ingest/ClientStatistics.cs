using System.Text.Json;

namespace Weir.Ingest;

/// <summary>What librdkafka says of itself, about once in each diagnosis sample; the parts that a diagnosis needs.</summary>
/// <param name="Brokers">Its connections, those by which it was bootstrapped among them.</param>
/// <param name="GroupState">State of the membership: <c>up</c> while it has a coordinator.</param>
/// <param name="JoinState">Step of joining: <c>steady</c> while it is a member.</param>
/// <param name="RebalanceCount">Rebalances since the start.</param>
/// <param name="QueuedMessages">Messages fetched and not yet read.</param>
public sealed record ClientStatistics(
    IReadOnlyList<BrokerStatistics> Brokers, string GroupState, string JoinState, long RebalanceCount, long QueuedMessages)
{
    /// <summary>Reads librdkafka's JSON.</summary>
    /// <returns>Null for what cannot be read: statistics are no reason to stop.</returns>
    public static ClientStatistics? TryParse(string json)
    {
        try
        {
            using var document = JsonDocument.Parse(json);
            var root = document.RootElement;
            var brokers = new List<BrokerStatistics>();
            foreach (var broker in root.GetProperty("brokers").EnumerateObject())
            {
                // The group's coordinator and the internal one have no connection of their own.
                if (broker.Value.GetProperty("source").GetString() is "configured" or "learned")
                {
                    brokers.Add(BrokerStatistics.Parse(broker.Value));
                }
            }

            var hasGroup = root.TryGetProperty("cgrp", out var group);
            return new ClientStatistics(
                brokers,
                hasGroup ? group.GetProperty("state").GetString()! : "",
                hasGroup ? group.GetProperty("join_state").GetString()! : "",
                hasGroup ? group.GetProperty("rebalance_cnt").GetInt64() : 0,
                QueuedMessagesOf(root));
        }
        catch (Exception error) when (error is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            return null;
        }
    }

    private static long QueuedMessagesOf(JsonElement root)
    {
        var count = 0L;
        if (root.TryGetProperty("topics", out var topics))
        {
            foreach (var topic in topics.EnumerateObject())
            {
                foreach (var partition in topic.Value.GetProperty("partitions").EnumerateObject())
                {
                    count += partition.Value.GetProperty("fetchq_cnt").GetInt64();
                }
            }
        }

        return count;
    }
}

/// <summary>One connection to a broker.</summary>
/// <param name="Name">Address.</param>
/// <param name="IsUp">True while it is connected.</param>
/// <param name="RoundTrip">Mean time of an answer since the statistics before; fetches that wait for data among them; zero without one.</param>
/// <param name="ConnectCount">Attempts to connect since the start.</param>
/// <param name="DisconnectCount">Connections that ended since the start.</param>
/// <param name="TimeoutCount">Requests without an answer since the start.</param>
public readonly record struct BrokerStatistics(
    string Name, bool IsUp, TimeSpan RoundTrip, long ConnectCount, long DisconnectCount, long TimeoutCount)
{
    internal static BrokerStatistics Parse(JsonElement broker) => new(
        broker.GetProperty("nodename").GetString()!,
        broker.GetProperty("state").GetString() == "UP",
        TimeSpan.FromMicroseconds(broker.GetProperty("rtt").GetProperty("avg").GetInt64()),
        broker.GetProperty("connects").GetInt64(),
        broker.GetProperty("disconnects").GetInt64(),
        broker.GetProperty("req_timeouts").GetInt64());
}
