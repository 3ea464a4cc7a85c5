using BenchmarkDotNet.Running;
using Weir.Bench;

// `--ratios NAME` is the short way: peers interleaved in this process, medians, ratios. Anything else is BenchmarkDotNet's.
if (args is ["--ratios", ..])
{
    return Ratios.Run(args[1..]);
}

BenchmarkSwitcher.FromAssembly(typeof(Ratios).Assembly).Run(args);
return 0;
