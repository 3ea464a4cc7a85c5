using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace Weir.Tests.Support;

/// <summary>Keeps every message.</summary>
internal sealed class RecordingLogger : ILogger
{
    private readonly ConcurrentQueue<(int Id, string Text)> _messages = new();

    internal IReadOnlyList<(int Id, string Text)> Messages => [.. _messages];

    internal int Count(int id) => _messages.Count(message => message.Id == id);

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => true;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
        _messages.Enqueue((eventId.Id, $"{formatter(state, exception)} {exception}"));
}
