using System.CommandLine;
using Weir.Loadgen.Commands;

var root = new RootCommand(
    "Load for Weir: flow records into Kafka, made, captured or replayed, with totals to compare with what ClickHouse says.")
{
    GenerateCommand.Create(),
    CaptureCommand.Create(),
    ReplayCommand.Create(),
    CodecsCommand.Create(),
    CompareCommand.Create(),
    SoakCommand.Create(),
};
using var stop = new StopSignals();

// Not the parser's own handling of signals: it gives a command a bounded time for its end, and a soak may take minutes to store all.
return await root.Parse(args).InvokeAsync(new InvocationConfiguration { ProcessTerminationTimeout = null }, stop.Token);
