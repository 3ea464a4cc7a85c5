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
// After Ctrl-C the broker gets time to acknowledge what is in flight, and then the totals are printed.
return await root.Parse(args).InvokeAsync(new InvocationConfiguration { ProcessTerminationTimeout = TimeSpan.FromSeconds(40) });
