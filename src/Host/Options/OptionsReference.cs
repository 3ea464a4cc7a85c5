using System.Text;
using Weir.Core.Model;

namespace Weir.Host.Options;

/// <summary>Writes <c>docs/configuration.md</c> from the table of options.</summary>
internal static class OptionsReference
{
    private const string Head = """
        # Configuration

        <!-- Made by `weir docs configuration` from src/Host/Options/OptionSpecs.cs. Change it there; a test compares. -->

        `weir` reads one YAML file (`-c weir.yaml`) and the environment, which wins over the file. Every option has a default, so an
        empty file is a configuration. `weir check -c weir.yaml` lists everything that is wrong at once and prints the effective
        values, with secrets masked, in a form that can be fed back. A key that does not exist is an error.

        - **Durations** are whole numbers with `ms`, `s`, `m`, `h`, `d`; several may be put together: `1m30s`.
        - **Sizes** are whole numbers with `KiB`, `MiB`, `GiB`; without a unit, bytes.
        - **Environment:** `WEIR__` and the path, two underscores for each dot: `WEIR__FLUSH__INTERVAL=5s`,
          `WEIR__CLICKHOUSE__EMBEDDED=./weir-data`. Items of lists by number: `WEIR__KAFKA__TOPICS__0__NAME=flows`. A list or a map may
          be given whole, as YAML: `WEIR__KAFKA__TOPICS='[{ name: flows, format: goflow2 }]'`. librdkafka's properties:
          `WEIR__KAFKA__OPTIONS__FETCH_WAIT_MAX_MS=10`, underscores for the dots (a name that has a dot is taken as it is). An empty variable is
          as if it were not set.
        - **Secrets** (`clickhouse.password`, passwords and keys in `kafka.options`) are printed as `"***"`. A file that says `"***"`
          leaves the secret to the environment, and weir warns of it.
        - **The sink** is a server (`clickhouse.url`) or a directory (`clickhouse.embedded`), not both. The directory alone is enough; the
          default address of the server is then not used. Where the file names one and the environment the other, the environment wins.

        """;

    private const string ViewsExample = """

        ```yaml
        views:
          - name: app_1m
            granularity: 1m
            tags: [dst_addr, { name: app, type: string, from: app_name, field: 900 }]
            meters: [flows, bytes, { name: delay_max_us, fold: max, from: delay_us }]
            order_by: [app]
        ```

        The standard schema, which needs only names:


        """;

    /// <summary>The page.</summary>
    public static string Write()
    {
        var page = new StringBuilder(Head);
        var section = "";
        foreach (var spec in OptionSpecs.All)
        {
            var name = spec.Path.Split('.')[0];
            if (name != section)
            {
                section = name;
                page.Append("\n## ").Append(name).Append("\n\n| option | type | default | allowed |\n|---|---|---|---|\n");
                var ofSection = OptionSpecs.All.Where(other => other.Path.Split('.')[0] == name).ToList();
                foreach (var row in ofSection.SelectMany(Rows))
                {
                    page.Append($"| `{row.Path}` | {row.TypeName} | {Code(row.DefaultText)} | {Cell(row.Allowed)} |\n");
                }

                page.Append('\n');
                foreach (var row in ofSection.SelectMany(Rows))
                {
                    page.Append($"- `{row.Path}`: {row.Description}\n");
                }
            }
        }

        WriteStandardSchema(page);
        return page.ToString();
    }

    private static void WriteStandardSchema(StringBuilder page)
    {
        page.Append(ViewsExample);
        var tags = StandardSchema.Tags.Select(tag => $"`{tag.Name}` ({tag.Type.ToString().ToLowerInvariant()})");
        page.Append("- Tags: ").AppendJoin(", ", tags).Append(".\n");
        var meters = StandardSchema.Meters.Select(meter => $"`{meter.Name}`");
        page.Append("- Meters: ").AppendJoin(", ", meters).Append("; all are sums.\n");
        foreach (var view in StandardSchema.Views)
        {
            page.Append($"- View `{view.Name}`: every {Granularities.Format(view.GranularitySeconds)}, by ");
            page.AppendJoin(", ", view.Tags.Select(tag => tag.Name)).Append("; sorted by ").AppendJoin(", ", view.OrderBy).Append(", time.\n");
        }
    }

    private static IEnumerable<OptionField> Rows(OptionSpec spec) =>
    [
        new(spec.Path, spec.TypeName, spec.DefaultText, spec.Allowed, spec.IsSecret ? spec.Description + " Secret." : spec.Description),
        .. spec.Fields,
    ];

    private static string Code(string text)
    {
        var isWords = text is "required" or "not set" || (text.Contains(' ', StringComparison.Ordinal) && text[0] != '{');
        return isWords ? Cell(text) : $"`{Cell(text)}`";
    }

    private static string Cell(string text) => text.Replace("|", "\\|", StringComparison.Ordinal);
}
