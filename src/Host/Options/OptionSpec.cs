namespace Weir.Host.Options;

/// <summary>A key inside an option that is a list or a map, for the reference.</summary>
/// <param name="Path">Path of the key, such as <c>kafka.topics[].name</c>.</param>
/// <param name="TypeName">Type.</param>
/// <param name="DefaultText">Default, or a word such as "required".</param>
/// <param name="Allowed">Allowed values.</param>
/// <param name="Description">One or two sentences.</param>
internal sealed record OptionField(string Path, string TypeName, string DefaultText, string Allowed, string Description);

/// <summary>One option: parsing, checking, printing and the reference page are all made from it.</summary>
internal abstract class OptionSpec(string path, string description)
{
    /// <summary>What is printed in the place of a secret, and what a file may say for "not changed here".</summary>
    public const string Mask = "***";

    /// <summary>Path in the file, such as <c>aggregation.queue.policy</c>.</summary>
    public string Path { get; } = path;

    /// <summary>One or two sentences for the reference.</summary>
    public string Description { get; } = description;

    /// <summary>What the reference calls the type.</summary>
    public abstract string TypeName { get; }

    /// <summary>Allowed values in words.</summary>
    public abstract string Allowed { get; }

    /// <summary>The default as the reference shows it.</summary>
    public abstract string DefaultText { get; }

    /// <summary>True when the value is never printed.</summary>
    public bool IsSecret { get; init; }

    /// <summary>True when the option is one value and not a list or a map.</summary>
    public abstract bool IsScalar { get; }

    /// <summary>Keys inside the option.</summary>
    public virtual IReadOnlyList<OptionField> Fields => [];

    /// <summary>Name of the environment variable that overrides it.</summary>
    public string VariableName => EnvironmentOverrides.Prefix + Path.ToUpperInvariant().Replace(".", "__", StringComparison.Ordinal);

    /// <summary>Takes the value of <paramref name="node"/> into <paramref name="options"/>, or reports why it cannot.</summary>
    public abstract WeirOptions Read(WeirOptions options, ConfigNode node, OptionIssues issues);

    /// <summary>True when the option has another value in <paramref name="other"/>, secrets included.</summary>
    public virtual bool Differs(WeirOptions options, WeirOptions other) =>
        !(Print(options) ?? []).SequenceEqual(Print(other) ?? []);

    /// <summary>The lines of the value as YAML; null when the option is not set. The first line follows the key.</summary>
    public abstract IReadOnlyList<string>? Print(WeirOptions options);
}

/// <summary>An option that is one value.</summary>
/// <typeparam name="T">Type of the value.</typeparam>
internal sealed class ScalarSpec<T>(
    string path, OptionType<T> type, string description, Func<WeirOptions, T> get, Func<WeirOptions, T, WeirOptions> set)
    : OptionSpec(path, description)
{
    /// <inheritdoc/>
    public override string TypeName => type.Name;

    /// <inheritdoc/>
    public override string Allowed => type.Allowed;

    /// <inheritdoc/>
    public override string DefaultText => Print(new WeirOptions())?[0] ?? "not set";

    /// <inheritdoc/>
    public override bool IsScalar => true;

    /// <inheritdoc/>
    public override WeirOptions Read(WeirOptions options, ConfigNode node, OptionIssues issues)
    {
        if (node is not ConfigScalar scalar)
        {
            issues.WrongShape(Path, node, Allowed);
            return options;
        }

        if (IsSecret && scalar.Text == Mask)
        {
            issues.Warn(
                Path, node.Origin, $"is the mask that 'weir check' prints for a secret; it counts as not given (set {VariableName})");
            return options;
        }

        if (type.Read(scalar.Text) is { } read)
        {
            return set(options, read.Value);
        }

        issues.NotAllowed(Path, node.Origin, IsSecret ? Mask : YamlText.WithoutUserInfo(scalar.Text), Allowed);
        return options;
    }

    /// <inheritdoc/>
    public override bool Differs(WeirOptions options, WeirOptions other) => type.Format(get(options)) != type.Format(get(other));

    /// <inheritdoc/>
    public override IReadOnlyList<string>? Print(WeirOptions options)
    {
        var text = type.Format(get(options));
        if (text is null)
        {
            return null;
        }

        return [IsSecret && text.Length > 0 ? $"\"{Mask}\"" : YamlText.Scalar(text)];
    }
}
