using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace Weir.Host.Options;

/// <summary>Reads YAML into <see cref="ConfigNode"/>s with their lines.</summary>
internal static class ConfigYaml
{
    /// <summary>Values of one file; aliases count each time they are used, so that a small file cannot grow without end.</summary>
    private const int NodesMax = 10_000;

    /// <summary>Levels of nesting.</summary>
    private const int DepthMax = 16;

    /// <summary>Longest file in characters.</summary>
    private const int TextCharsMax = 1 << 20;

    /// <summary>Reads a configuration file; what is wrong with its syntax goes to <paramref name="issues"/>.</summary>
    /// <returns>The top map; empty when the file is.</returns>
    public static ConfigMap ReadFile(string text, string fileName, OptionIssues issues)
    {
        var node = Read(text, line => new ConfigOrigin(fileName, line), "the file", issues);
        switch (node)
        {
            case ConfigMap map:
                return map;
            case null or ConfigNull:
                break;
            default:
                issues.Error("the file", node.Origin, $"is {node.KindName}; allowed: a map of options such as 'kafka:'");
                break;
        }

        return new ConfigMap(new ConfigOrigin(fileName, 1));
    }

    /// <summary>Reads the value of an environment variable that stands for a list or a map.</summary>
    public static ConfigNode? ReadVariable(string text, string variable, string path, OptionIssues issues) =>
        Read(text, _ => new ConfigOrigin(variable, 0), path, issues);

    private static ConfigNode? Read(string text, Func<int, ConfigOrigin> originOf, string path, OptionIssues issues)
    {
        if (text.Length > TextCharsMax)
        {
            issues.Error(path, originOf(1), $"has {text.Length} characters; allowed: at most {TextCharsMax}");
            return null;
        }

        try
        {
            var stream = new YamlStream();
            stream.Load(new StringReader(text));
            if (stream.Documents.Count > 1)
            {
                issues.Error(path, originOf((int)stream.Documents[1].RootNode.Start.Line), "has a second document; allowed: one");
            }

            return stream.Documents.Count == 0 ? null : new Converter(originOf).Convert(stream.Documents[0].RootNode, 0);
        }
        catch (YamlException error)
        {
            issues.Error(path, originOf((int)error.Start.Line), $"is not YAML: {error.Message}");
            return null;
        }
        catch (Exception error) when (error is InvalidOperationException or ArgumentException)
        {
            issues.Error(path, originOf(1), $"is not YAML: {error.Message}"); // YamlDotNet throws these for some texts, without a line.
            return null;
        }
    }

    private sealed class Converter(Func<int, ConfigOrigin> originOf)
    {
        private int _nodeCount;

        public ConfigNode Convert(YamlNode node, int depth)
        {
            if (++_nodeCount > NodesMax || depth > DepthMax)
            {
                throw new YamlException(node.Start, node.End, $"more than {NodesMax} values or {DepthMax} levels");
            }

            var origin = originOf((int)node.Start.Line);
            switch (node)
            {
                case YamlScalarNode scalar:
                    return scalar.Style == ScalarStyle.Plain && scalar.Value is null or "" or "~" or "null"
                        ? new ConfigNull(origin)
                        : new ConfigScalar(scalar.Value ?? "", origin);
                case YamlSequenceNode sequence:
                    var list = new ConfigList(origin);
                    foreach (var item in sequence.Children)
                    {
                        list.Items.Add(Convert(item, depth + 1));
                    }

                    return list;
                case YamlMappingNode mapping:
                    var map = new ConfigMap(origin);
                    foreach (var (key, value) in mapping.Children)
                    {
                        if (key is not YamlScalarNode { Value: { } name })
                        {
                            throw new YamlException(key.Start, key.End, "a key is a list or a map; allowed: a word");
                        }

                        map.Set(name, Convert(value, depth + 1), originOf((int)key.Start.Line));
                    }

                    return map;
                default:
                    throw new YamlException(node.Start, node.End, "an alias that stands for nothing");
            }
        }
    }
}
