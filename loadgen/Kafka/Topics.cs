using System.Diagnostics;
using Confluent.Kafka;

namespace Weir.Loadgen.Kafka;

/// <summary>What a broker tells of a topic.</summary>
internal static class Topics
{
    private static readonly TimeSpan _timeout = TimeSpan.FromSeconds(10);

    /// <summary>The number of its partitions. Metadata of a topic that the broker makes on first use come with the second
    /// question.</summary>
    /// <exception cref="KafkaException">There is no such topic, or no broker.</exception>
    public static int CountPartitions(Handle handle, string topic)
    {
        using IAdminClient admin = new DependentAdminClientBuilder(handle).Build();
        var start = Stopwatch.GetTimestamp();
        while (true)
        {
            TopicMetadata metadata = admin.GetMetadata(topic, _timeout).Topics.Single();
            if (!metadata.Error.IsError && metadata.Partitions.Count > 0)
            {
                return metadata.Partitions.Count;
            }

            if (Stopwatch.GetElapsedTime(start) > _timeout)
            {
                throw new KafkaException(new Error(ErrorCode.UnknownTopicOrPart, $"Topic {topic}: {metadata.Error.Reason}"));
            }
        }
    }

    /// <summary>The number of its partitions, asked by a client of its own over a plain connection.</summary>
    /// <exception cref="KafkaException">There is no such topic, or no broker.</exception>
    public static int CountPartitions(string bootstrap, string topic)
    {
        using var client = new AdminClientBuilder(Properties(bootstrap, [])).SetLogHandler((_, _) => { }).Build();
        return CountPartitions(client.Handle, topic);
    }

    /// <summary>The first part of the properties of all clients here: quiet, and what the user gave wins.</summary>
    /// <exception cref="ArgumentException">A property is not NAME=VALUE.</exception>
    public static Dictionary<string, string> Properties(string bootstrap, IEnumerable<string> properties)
    {
        var result = new Dictionary<string, string> { ["bootstrap.servers"] = bootstrap };
        foreach (var property in properties)
        {
            var equals = property.IndexOf('=', StringComparison.Ordinal);
            if (equals <= 0)
            {
                throw new ArgumentException($"--property {property}: allowed is NAME=VALUE, such as security.protocol=ssl");
            }

            result[property[..equals]] = property[(equals + 1)..];
        }

        return result;
    }
}
