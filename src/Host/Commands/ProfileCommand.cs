using System.CommandLine;
using System.Globalization;
using Weir.Host.Admin;
using Weir.Host.Profiling;

namespace Weir.Host.Commands;

/// <summary><c>weir profile</c>: where a weir that runs spends its time, what it allocates, which locks it waits for.</summary>
internal static class ProfileCommand
{
    /// <summary>The command.</summary>
    public static Command Create(CommandContext context)
    {
        var admin = new AdminOption();
        var kind = new Argument<ProfileKind>("KIND") { Description = "cpu, alloc or contention." };
        var seconds = new Option<int>("--seconds") { Description = "How long to record.", HelpName = "N", DefaultValueFactory = _ => 10 };
        var output = new Option<string>("--output", "-o")
        {
            Description = "File: .svg is a flame graph, .nettrace the recording, any other speedscope's JSON with a flame graph beside it.",
            HelpName = "FILE",
            Required = true,
        };
        var command = new Command("profile", "Record a weir that runs, through the runtime's own event pipe. Nothing is recorded before or after.")
        {
            kind, seconds, output,
        };
        admin.AddTo(command);
        command.SetAction(async (result, cancel) =>
        {
            if (admin.Find(result, context) is not { } found)
            {
                return ExitCodes.Refused;
            }

            var file = result.GetRequiredValue(output);
            var recording = file.EndsWith(".nettrace", StringComparison.Ordinal) ? file : Path.GetTempFileName();
            try
            {
                var what = result.GetValue(kind);
                var path = string.Create(CultureInfo.InvariantCulture, $"profile?kind={what}&seconds={result.GetValue(seconds)}");
                using (var client = AdminClient.Create(found.Token))
                using (var response = await AdminClient.GetAsync(client, found.Url, path, cancel))
                await using (var bytes = File.Create(recording))
                {
                    await response.Content.CopyToAsync(bytes, cancel);
                }

                if (recording != file)
                {
                    Write(TraceReading.Read(recording, what), what, file, context);
                }

                return ExitCodes.Ok;
            }
            catch (FormatException error)
            {
                throw new CommandException(error.Message, error);
            }
            finally
            {
                if (recording != file)
                {
                    File.Delete(recording);
                }
            }
        });
        return command;
    }

    private static void Write(StackTree stacks, ProfileKind kind, string file, CommandContext context)
    {
        var isSvg = file.EndsWith(".svg", StringComparison.OrdinalIgnoreCase);
        var svg = isSvg ? file : Path.ChangeExtension(file, ".svg");
        using (var text = new StreamWriter(svg))
        {
            ProfileOutput.WriteSvg(stacks, text);
        }

        if (!isSvg)
        {
            using var json = File.Create(file);
            ProfileOutput.WriteSpeedscope(stacks, kind, json);
        }

        context.Output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{stacks.Name}: {stacks.Weight:N0}; {(isSvg ? svg : $"{file} and {svg}")}"));
    }
}
