using System.Runtime.InteropServices;
using Confluent.Kafka;
using Weir.Ingest;
using Weir.Tests.Support;
using Xunit;

namespace Weir.Tests.Ingest;

[Collection(AloneCollection.Name)]
public sealed class KafkaNativeTests
{
    [RealPartFact(RealPart.LocalRdkafka)]
    public void The_native_library_is_the_one_that_the_client_was_made_for() => KafkaNative.CheckVersion();

    [RealPartFact(RealPart.LocalRdkafka)]
    public void The_handle_of_a_consumer_is_where_this_version_of_the_client_keeps_it()
    {
        using var consumer = new ConsumerBuilder<Ignore, Ignore>(
            new ConsumerConfig { GroupId = "weir", BootstrapServers = "127.0.0.1:1" }).SetLogHandler((_, _) => { }).Build();

        var handle = KafkaNative.HandleOf(consumer);
        var queue = KafkaNative.QueueNew(handle);

        Assert.NotEqual(0, handle);
        Assert.NotEqual(0, queue);
        KafkaNative.QueueDestroy(queue);
    }

    [RealPartFact(RealPart.LocalRdkafka)]
    public void One_library_is_loaded_for_the_client_and_for_the_native_calls()
    {
        _ = Library.VersionString;
        Assert.Equal("Success", Marshal.PtrToStringUTF8(KafkaNative.ErrorText(0)));

        var loaded = File.ReadLines("/proc/self/maps")
            .Where(line => line.Contains("librdkafka", StringComparison.Ordinal))
            .Select(line => line[line.IndexOf('/', StringComparison.Ordinal)..])
            .Distinct();
        Assert.Single(loaded);
    }
}
