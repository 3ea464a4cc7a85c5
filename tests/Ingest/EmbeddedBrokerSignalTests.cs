using Weir.Tests.Support;
using Xunit;

namespace Weir.Tests.Ingest;

/// <summary>The broker survives the signals that its process gets: a stop and a continuation, a child that ended, a window that changed.</summary>
[Collection(AloneCollection.Name)]
public sealed class EmbeddedBrokerSignalTests
{
    [RealPartFact(RealPart.LocalRdkafka)]
    public async Task A_broker_that_was_stopped_and_signalled_still_takes_messages()
    {
        var directory = Directory.CreateTempSubdirectory("weir-broker-");
        var portFile = Path.Combine(directory.FullName, "port");
        using (var process = ProgramProcess.Start(directory.FullName, null, "broker", "--port-file", portFile, "--topic", "flows:1"))
        {
            await Eventually.TrueAsync(() => File.Exists(portFile), "the broker is ready");
            using var broker = KafkaBroker.At((await File.ReadAllTextAsync(portFile)).Trim());
            for (var round = 0; round < 5; round++)
            {
                process.Signal("STOP");
                process.Signal("CHLD");
                process.Signal("WINCH");
                process.Signal("CONT");
                broker.Produce("flows", 0, "message"u8.ToArray());
            }

            Assert.DoesNotContain("failed to poll", process.ErrorText, StringComparison.Ordinal);
        }

        directory.Delete(recursive: true);
    }
}
