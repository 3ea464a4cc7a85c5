namespace Weir.Host.Reload;

/// <summary>The least level that is logged; it may change while loggers are in use. Any thread.</summary>
internal sealed class LogLevelSwitch(LogLevel level)
{
    private volatile int _level = (int)level;

    /// <summary>The level.</summary>
    public LogLevel Level
    {
        get => (LogLevel)_level;
        set => _level = (int)value;
    }
}
