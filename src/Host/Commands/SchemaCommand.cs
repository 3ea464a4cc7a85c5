using System.CommandLine;

namespace Weir.Host.Commands;

/// <summary><c>weir schema</c>: what the tables are, should be, and the statements between.</summary>
internal static class SchemaCommand
{
    /// <summary>The command.</summary>
    public static Command Create(CommandContext context, IWeirBackend backend) => new(
        "schema", "Compare the tables with the views, and mend them.")
    {
        Create(
            "plan",
            "Print the statements that make the tables as the views need them, and change nothing.",
            context,
            backend,
            isApplied: false),
        Create("apply", "Run the statements that 'weir schema plan' prints.", context, backend, isApplied: true),
    };

    private static Command Create(string name, string description, CommandContext context, IWeirBackend backend, bool isApplied)
    {
        var config = ConfigOption.Create();
        var cluster = new Option<string?>("--cluster")
        {
            Description = "Look at all nodes of this cluster of the server's remote_servers, make the tables on each (ON CLUSTER), and a Distributed "
                + "table NAME_all over each to read from.",
            HelpName = "NAME",
        };
        var command = new Command(name, description) { config, cluster };
        command.SetAction(async (result, cancel) =>
        {
            if (ConfigOption.Load(result.GetValue(config), context) is not { } loaded)
            {
                return ExitCodes.Refused;
            }

            await using var store = await backend.OpenStoreAsync(loaded.Options, cancel);
            var plan = result.GetValue(cluster) is { } clusterName ? await store.PlanClusterAsync(clusterName, cancel) : await store.PlanSchemaAsync(cancel);
            foreach (var step in plan.Steps)
            {
                context.Output.WriteLine($"-- {step.Reason}");
                context.Output.WriteLine($"{step.Statement.TrimEnd().TrimEnd(';')};");
            }

            foreach (var conflict in plan.Conflicts)
            {
                context.WriteError(conflict);
            }

            if (isApplied && plan.Conflicts.Count == 0 && plan.Steps.Count > 0)
            {
                await store.ApplySchemaAsync(plan, cancel);
            }

            context.Error.WriteLine(Summarize(plan, isApplied));
            return plan.Conflicts.Count == 0 ? ExitCodes.Ok : ExitCodes.Refused;
        });
        return command;
    }

    private static string Summarize(SchemaReport plan, bool isApplied)
    {
        if (plan.Conflicts.Count > 0)
        {
            return $"weir schema: nothing was changed; {plan.Conflicts.Count} difference(s) have to be mended by hand first";
        }

        return plan.Steps.Count == 0
            ? "weir schema: the tables are as the views need them"
            : $"weir schema: {plan.Steps.Count} statement(s) {(isApplied ? "ran" : "to run with 'weir schema apply'")}";
    }
}
