namespace Weir.Host.Options;

/// <summary>Where a value was given.</summary>
/// <param name="Source">The file as the user named it, or the environment variable.</param>
/// <param name="Line">Line of the file, from 1; 0 for an environment variable.</param>
internal sealed record ConfigOrigin(string Source, int Line)
{
    /// <summary>True when the value came from the environment.</summary>
    public bool IsEnvironment => Line == 0;

    /// <summary><c>weir.yaml:12</c> or <c>WEIR__KAFKA__GROUP</c>.</summary>
    public override string ToString() => IsEnvironment ? Source : $"{Source}:{Line}";
}

/// <summary>A value of the configuration as it was written, before it is known what it should be.</summary>
internal abstract class ConfigNode(ConfigOrigin origin)
{
    /// <summary>Where it was written.</summary>
    public ConfigOrigin Origin { get; } = origin;

    /// <summary>What an error message calls it.</summary>
    public abstract string KindName { get; }
}

/// <summary>A single value. All scalars are text until an option reads them.</summary>
internal sealed class ConfigScalar(string text, ConfigOrigin origin) : ConfigNode(origin)
{
    /// <summary>The text, without quotes.</summary>
    public string Text { get; } = text;

    /// <inheritdoc/>
    public override string KindName => "a single value";
}

/// <summary>A key without a value: as if the option were not there, but the key is still checked.</summary>
internal sealed class ConfigNull(ConfigOrigin origin) : ConfigNode(origin)
{
    /// <inheritdoc/>
    public override string KindName => "empty";
}

/// <summary>Keys and values in the order of the file.</summary>
internal sealed class ConfigMap(ConfigOrigin origin) : ConfigNode(origin)
{
    private readonly List<ConfigEntry> _entries = [];

    /// <summary>The entries; no key twice.</summary>
    public IReadOnlyList<ConfigEntry> Entries => _entries;

    /// <inheritdoc/>
    public override string KindName => "a map";

    /// <summary>The value of <paramref name="key"/>, or null when there is none.</summary>
    public ConfigNode? Find(string key) => _entries.Find(entry => entry.Key == key)?.Value is { } node and not ConfigNull ? node : null;

    /// <summary>Sets a value, in the place of the one that the key had.</summary>
    public void Set(string key, ConfigNode value, ConfigOrigin keyOrigin)
    {
        var entry = new ConfigEntry(key, keyOrigin, value);
        var index = _entries.FindIndex(other => other.Key == key);
        if (index >= 0)
        {
            _entries[index] = entry;
        }
        else
        {
            _entries.Add(entry);
        }
    }

    /// <summary>Takes a key out.</summary>
    public void Remove(string key) => _entries.RemoveAll(entry => entry.Key == key);
}

/// <summary>A key with its value.</summary>
internal sealed record ConfigEntry(string Key, ConfigOrigin KeyOrigin, ConfigNode Value);

/// <summary>Values in order.</summary>
internal sealed class ConfigList(ConfigOrigin origin) : ConfigNode(origin)
{
    /// <summary>The values.</summary>
    public List<ConfigNode> Items { get; } = [];

    /// <inheritdoc/>
    public override string KindName => "a list";
}
