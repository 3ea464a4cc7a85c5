using Spectre.Console;
using Weir.Host.Commands;

namespace Weir.Host.Top;

/// <summary>Shows look after look on a terminal until the stop; elsewhere one look.</summary>
internal sealed class TopRun
{
    /// <summary>Columns of a look that is written to a file or a pipe.</summary>
    private const int PlainColumns = 120;

    private readonly CommandContext _context;
    private readonly TopSource _source;
    private readonly TimeSpan _interval;
    private readonly TimeProvider _time;
    private readonly IAnsiConsole _console;

    /// <summary>Prepares to show.</summary>
    public TopRun(CommandContext context, TopSource source, TimeSpan interval, TimeProvider time)
    {
        _context = context;
        _source = source;
        _interval = interval;
        _time = time;
        _console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Out = new AnsiConsoleOutput(context.Output),
            Ansi = context.IsOutputTerminal ? AnsiSupport.Detect : AnsiSupport.No,
            ColorSystem = context.HasColour ? ColorSystemSupport.Detect : ColorSystemSupport.NoColors,
            Interactive = context.IsOutputTerminal ? InteractionSupport.Detect : InteractionSupport.No,
        });
        if (!context.IsOutputTerminal)
        {
            _console.Profile.Width = PlainColumns;
        }
    }

    /// <summary>Runs.</summary>
    /// <returns>An exit code.</returns>
    public async Task<int> RunAsync(CancellationToken stopping)
    {
        var earlier = await _source.ReadAsync(stopping); // Two looks make rates; a first one that fails ends the command.
        try
        {
            if (!_context.IsOutputTerminal)
            {
                await Task.Delay(_interval, _time, stopping);
                _console.Write(TopFrame.Draw(_source.Url, await _source.ReadAsync(stopping), earlier));
                return ExitCodes.Ok;
            }

            await _console.Live(new Text("")).Overflow(VerticalOverflow.Crop).StartAsync(live => ShowAsync(live, earlier, stopping));
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // Ctrl-C is how it ends.
        }

        return ExitCodes.Ok;
    }

    private async Task ShowAsync(LiveDisplayContext live, TopReading earlier, CancellationToken stopping)
    {
        while (true)
        {
            await Task.Delay(_interval, _time, stopping);
            try
            {
                var now = await _source.ReadAsync(stopping);
                live.UpdateTarget(TopFrame.Draw(_source.Url, now, earlier));
                earlier = now;
            }
            catch (CommandException error)
            {
                live.UpdateTarget(new Markup($"[yellow]▲ {Markup.Escape(error.Message)}[/]; trying again")); // It may be starting anew.
            }
        }
    }
}
