using System.Globalization;

namespace Weir.Host.Options;

/// <summary>Takes variables such as <c>WEIR__KAFKA__BOOTSTRAP</c> into the configuration; they win over the file.</summary>
/// <remarks>
/// Two underscores stand for a step into a map or a list (<c>WEIR__KAFKA__TOPICS__0__NAME</c>); case does not matter. The value
/// of a list or a map may be given whole, as YAML. An empty variable is as if it were not set.
/// </remarks>
internal static class EnvironmentOverrides
{
    /// <summary>What the names begin with.</summary>
    public const string Prefix = "WEIR__";

    private const string Separator = "__";

    /// <summary>Takes all variables that begin with <see cref="Prefix"/> into <paramref name="root"/>.</summary>
    public static void Apply(ConfigMap root, IReadOnlyDictionary<string, string> environment, OptionIssues issues)
    {
        // Whole lists come before their items, and items in the order of their numbers.
        var variables = environment
            .Where(variable => variable.Key.StartsWith(Prefix, StringComparison.OrdinalIgnoreCase) && variable.Value.Length > 0)
            .Select(variable => (
                Name: variable.Key, Steps: variable.Key[Prefix.Length..].ToLowerInvariant().Split(Separator), variable.Value))
            .OrderBy(variable => variable.Steps.Length)
            .ThenBy(variable => string.Join('.', variable.Steps.Select(PadNumber)), StringComparer.Ordinal);
        foreach (var (name, steps, value) in variables)
        {
            if (OwnerOf(steps) is not var (spec, pathSteps))
            {
                ReportUnknown(name, steps, issues);
                continue;
            }

            if (spec.IsScalar)
            {
                Put(root, pathSteps, new ConfigScalar(value, new ConfigOrigin(name, 0)), name, spec.Path, issues);
            }
            else
            {
                Put(root, Steps(spec, pathSteps), ReadValue(spec, pathSteps, value, name, issues), name, spec.Path, issues);
            }
        }
    }

    private static (OptionSpec Spec, string[] Steps)? OwnerOf(string[] steps)
    {
        for (var count = steps.Length; count > 0; count--)
        {
            var spec = OptionSpecs.Find(string.Join('.', steps[..count]));
            if (spec is not null && (count == steps.Length || !spec.IsScalar))
            {
                return (spec, steps);
            }
        }

        return null;
    }

    private static string[] Steps(OptionSpec spec, string[] steps)
    {
        if (spec is not KafkaPropertiesSpec || steps.Length <= 2)
        {
            return steps;
        }

        // Shells do not take dots in names: FETCH_WAIT_MAX_MS is fetch.wait.max.ms. A name with a dot is taken as it is.
        var property = string.Join(Separator, steps[2..]);
        return [.. steps[..2], property.Contains('.', StringComparison.Ordinal) ? property : property.Replace('_', '.')];
    }

    private static ConfigNode ReadValue(OptionSpec spec, string[] steps, string value, string name, OptionIssues issues)
    {
        var isWhole = string.Join('.', steps) == spec.Path;
        if ((isWhole || value[0] is '[' or '{') && !(spec is KafkaPropertiesSpec && !isWhole))
        {
            return ConfigYaml.ReadVariable(value, name, spec.Path, issues) ?? new ConfigNull(new ConfigOrigin(name, 0));
        }

        return new ConfigScalar(value, new ConfigOrigin(name, 0));
    }

    private static void Put(ConfigMap root, string[] steps, ConfigNode value, string name, string path, OptionIssues issues)
    {
        var origin = new ConfigOrigin(name, 0);
        ConfigNode node = root;
        for (var index = 0; index < steps.Length; index++)
        {
            var isLast = index == steps.Length - 1;
            var isNextNumber = !isLast && IsNumber(steps[index + 1]);
            ConfigNode New() => isLast ? value : isNextNumber ? new ConfigList(origin) : new ConfigMap(origin);
            if (node is ConfigList list)
            {
                if (!IsNumber(steps[index])
                    || !int.TryParse(steps[index], CultureInfo.InvariantCulture, out var item)
                    || item > list.Items.Count)
                {
                    issues.Error(
                        path, origin, $"has {list.Items.Count} items, and {name} names item {steps[index]}; allowed: 0 to {list.Items.Count}");
                    return;
                }

                if (item == list.Items.Count)
                {
                    list.Items.Add(New());
                }
                else if (isLast || list.Items[item] is ConfigNull or ConfigScalar)
                {
                    list.Items[item] = New();
                }

                node = list.Items[item];
            }
            else if (node is ConfigMap map)
            {
                // A value of another shape than the variable's is replaced: the environment wins.
                var known = map.Find(steps[index]);
                if (isNextNumber && known is not ConfigList && steps[index + 1].Trim('0').Length > 0)
                {
                    issues.Error(path, origin, $"has 0 items, and {name} names item {steps[index + 1]}; allowed: 0 to 0");
                    return;
                }

                if (isLast || known is null or ConfigScalar || (known is ConfigList) != isNextNumber)
                {
                    map.Set(steps[index], New(), origin);
                }

                node = map.Find(steps[index]) ?? map;
            }
        }
    }

    private static void ReportUnknown(string name, string[] steps, OptionIssues issues)
    {
        var known = OptionSpecs.All.Select(spec => spec.VariableName);
        var nearest = Spelling.Nearest(name.ToUpperInvariant(), known);
        issues.Error(
            string.Join('.', steps),
            new ConfigOrigin(name, 0),
            nearest is null ? "is not an option" : $"is not an option; did you mean {nearest}?");
    }

    private static bool IsNumber(string step) => step.Length is > 0 and < 6 && step.All(char.IsAsciiDigit);

    private static string PadNumber(string step) => IsNumber(step) ? step.PadLeft(6, '0') : step;
}
