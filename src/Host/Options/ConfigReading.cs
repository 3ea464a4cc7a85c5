namespace Weir.Host.Options;

/// <summary>Reads the maps and lists inside an option, and reports what is wrong with them.</summary>
internal static class ConfigReading
{
    /// <summary>The items of a list, or null when <paramref name="node"/> is none or has more than <paramref name="max"/>.</summary>
    public static IReadOnlyList<ConfigNode>? Items(ConfigNode node, string path, int max, OptionIssues issues)
    {
        if (node is not ConfigList list)
        {
            issues.WrongShape(path, node, "a list");
            return null;
        }

        if (list.Items.Count > max)
        {
            issues.Error(path, list.Origin, $"has {list.Items.Count} items; allowed: at most {max}");
            return null;
        }

        return list.Items;
    }

    /// <summary>The node as a map whose keys are all known, or null; unknown keys are reported and passed over.</summary>
    public static ConfigMap? Map(ConfigNode node, string path, IReadOnlyList<string> keys, OptionIssues issues)
    {
        if (node is not ConfigMap map)
        {
            issues.WrongShape(path, node, $"a map with {string.Join(", ", keys)}");
            return null;
        }

        foreach (var entry in map.Entries.Where(entry => !keys.Contains(entry.Key)))
        {
            issues.UnknownKey($"{path}.{entry.Key}", entry.KeyOrigin, keys.Select(key => $"{path}.{key}"));
        }

        return map;
    }

    /// <summary>The value of a key that must be there; <paramref name="isOk"/> becomes false when it is not, or is not allowed.</summary>
    public static T? Required<T>(ConfigMap map, string key, string path, OptionType<T> type, OptionIssues issues, ref bool isOk)
    {
        if (map.Find(key) is null)
        {
            issues.Error($"{path}.{key}", map.Origin, $"is missing; allowed: {type.Allowed}");
            isOk = false;
            return default;
        }

        return Optional(map, key, path, type, default, issues, ref isOk);
    }

    /// <summary>The value of a key that may be absent.</summary>
    public static T? Optional<T>(
        ConfigMap map, string key, string path, OptionType<T> type, T? absent, OptionIssues issues, ref bool isOk)
    {
        switch (map.Find(key))
        {
            case null:
                return absent;
            case ConfigScalar scalar when type.Read(scalar.Text) is { } read:
                return read.Value;
            case ConfigScalar scalar:
                issues.NotAllowed($"{path}.{key}", scalar.Origin, scalar.Text, type.Allowed);
                break;
            case var node:
                issues.WrongShape($"{path}.{key}", node, type.Allowed);
                break;
        }

        isOk = false;
        return absent;
    }
}
