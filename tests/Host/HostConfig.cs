using Weir.Host.Options;
using Xunit;

namespace Weir.Tests.Host;

/// <summary>Reads configurations in tests.</summary>
internal static class HostConfig
{
    public static LoadedOptions Load(string yaml, params (string Name, string Value)[] environment) =>
        OptionsLoader.Load(yaml, "weir.yaml", environment.ToDictionary(variable => variable.Name, variable => variable.Value));

    /// <summary>Loads what must be right.</summary>
    public static LoadedOptions LoadGood(string yaml, params (string Name, string Value)[] environment)
    {
        var loaded = Load(yaml, environment);
        Assert.Empty(loaded.Errors.Select(error => error.ToString()));
        return loaded;
    }

    /// <summary>The only error of a configuration.</summary>
    public static string SingleError(string yaml, params (string Name, string Value)[] environment) =>
        Assert.Single(Load(yaml, environment).Errors).ToString();
}
