using System.CommandLine;
using Weir.Host.Options;

namespace Weir.Host.Commands;

/// <summary><c>weir check</c>: is the configuration right, are Kafka and ClickHouse there, are the tables as they should be.</summary>
internal static class CheckCommand
{
    /// <summary>How long Kafka may take to answer.</summary>
    private static readonly TimeSpan _kafkaTimeout = TimeSpan.FromSeconds(10);

    /// <summary>The command.</summary>
    public static Command Create(CommandContext context, IWeirBackend backend)
    {
        var config = ConfigOption.Create();
        var offline = new Option<bool>("--offline") { Description = "Only validate and print; connect to nothing." };
        var command = new Command(
            "check",
            "Validate the configuration, print the effective one (it can be fed back; secrets are masked), connect to Kafka and "
            + "ClickHouse, and compare the tables. Lists all problems; exit 0 without any, else 2.")
        {
            config,
            offline,
        };
        command.SetAction(async (result, cancel) =>
        {
            if (ConfigOption.Load(result.GetValue(config), context) is not { } loaded)
            {
                return ExitCodes.Refused;
            }

            await context.Output.WriteAsync(OptionsPrinter.Print(loaded));
            await context.Output.FlushAsync(cancel);
            var isGood = result.GetValue(offline) || await ProbeAsync(loaded.Options, context, backend, cancel);
            return isGood ? ExitCodes.Ok : ExitCodes.Refused;
        });
        return command;
    }

    private static async Task<bool> ProbeAsync(
        WeirOptions options, CommandContext context, IWeirBackend backend, CancellationToken cancel)
    {
        var probes = await Task.WhenAll(
            backend.ProbeKafkaAsync(options, _kafkaTimeout, cancel),
            ProbeStoreAsync(options, backend, cancel));
        foreach (var finding in probes.SelectMany(probe => probe.Findings))
        {
            context.Error.WriteLine($"ok: {finding}");
        }

        var problems = probes.SelectMany(probe => probe.Problems).ToList();
        foreach (var problem in problems)
        {
            context.WriteError(problem);
        }

        return problems.Count == 0;
    }

    private static async Task<ProbeReport> ProbeStoreAsync(WeirOptions options, IWeirBackend backend, CancellationToken cancel)
    {
        var directory = options.Writer.EmbeddedPath;
        if (directory is not null && !Directory.Exists(directory))
        {
            return new ProbeReport([$"clickhouse: {directory} is not there yet; weir run makes it"], []); // Opening it would make it.
        }

        try
        {
            await using var store = await backend.OpenStoreAsync(options, cancel);
            var plan = await store.PlanSchemaAsync(cancel);
            return Describe(store.Description, plan); // What the store promises is known when its tables have been read.
        }
        catch (StoreException error) when (error.IsHeld)
        {
            return new ProbeReport([$"clickhouse: {directory} is held by a weir that runs; its tables were compared when it started"], []);
        }
        catch (StoreException error)
        {
            return new ProbeReport([], [$"clickhouse: {error.Message}"]);
        }
    }

    private static ProbeReport Describe(string description, SchemaReport plan)
    {
        var findings = new List<string> { $"clickhouse: {description}" };
        findings.AddRange(plan.Steps
            .Where(step => step.RunsAtStart)
            .Select(step => $"clickhouse: {step.Reason} weir run mends it at its start"));
        if (plan.Steps.Count + plan.Conflicts.Count == 0)
        {
            findings.Add("clickhouse: all tables are as the views need them");
        }

        var changes = plan.Steps
            .Where(step => !step.RunsAtStart)
            .Select(step => $"clickhouse: {step.Reason} Run 'weir schema apply', which does: {step.Statement}");
        return new ProbeReport(findings, [.. changes, .. plan.Conflicts.Select(line => $"clickhouse: {line}")]);
    }
}
