using BenchmarkDotNet.Running;
using Weir.Bench;
using Weir.Bench.Lines;

// Three modes: the lines of weir-bench; `--ratios NAME`, short suites of single types; and BenchmarkDotNet, which is asked by its --filter.
if (args is ["--ratios", ..])
{
    return Ratios.Run(args[1..]);
}

if (args.Any(argument => argument is "--filter" or "-f"))
{
    BenchmarkSwitcher.FromAssembly(typeof(Ratios).Assembly).Run(args);
    return 0;
}

var options = BenchOptions.Parse(args, LineCatalog.Groups, out var problem);
if (problem is not null)
{
    Console.Error.WriteLine($"weir-bench: {problem}");
    return 2;
}

if (options.IsHelp)
{
    Console.WriteLine(BenchOptions.Help);
    return 0;
}

return new BenchRun(options, LineCatalog.Groups, Console.Out, Console.Error).Run();
