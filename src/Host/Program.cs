using Weir.Host;
using Weir.Host.Commands;

return await WeirProgram.RunAsync(args, CommandContext.OfProcess(), new WeirBackend());
