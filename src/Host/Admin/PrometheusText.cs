using System.Buffers;
using System.Globalization;
using System.Text;
using Weir.Core.Telemetry;

namespace Weir.Host.Admin;

/// <summary>Writes one scrape as Prometheus text, version 0.0.4.</summary>
/// <remarks>
/// One object for each scrape, one thread. The text is UTF-8 in rented memory from the first letter on: as a string it would be large
/// enough for the heap of large objects, whose garbage only a collection of the oldest generation takes. Values that are not finite have
/// no meaning as a reading and are left out.
/// </remarks>
internal sealed class PrometheusText : MetricReader, IDisposable
{
    /// <summary>The content type of the text.</summary>
    public const string ContentType = "text/plain; version=0.0.4; charset=utf-8";

    private const int BytesInitial = 64 << 10;

    /// <summary>The longest number as text.</summary>
    private const int NumberBytesMax = 32;

    private static readonly Dictionary<string, int> _order =
        WeirMeter.All.Index().ToDictionary(pair => pair.Item.Name, pair => pair.Index, StringComparer.Ordinal);

    // Samples of one metric must stand together, whichever source gives them.
    private readonly List<Run> _runs = [];
    private readonly Dictionary<string, int> _otherOrder = new(StringComparer.Ordinal); // Metrics that are not in the reference.
    private byte[] _bytes = ArrayPool<byte>.Shared.Rent(BytesInitial);
    private int _length;

    /// <inheritdoc/>
    public override void Read(MetricDefinition metric, double value, params ReadOnlySpan<string> labelValues)
    {
        if (double.IsFinite(value))
        {
            var from = Begin(metric, labelValues.Length);
            AppendName(metric, "", labelValues, bound: null);
            Append(value);
            Append((byte)'\n');
            End(metric, from);
        }
    }

    /// <inheritdoc/>
    public override void Read(MetricDefinition metric, HistogramSnapshot histogram, params ReadOnlySpan<string> labelValues)
    {
        var from = Begin(metric, labelValues.Length);
        var cumulative = 0L;
        for (var index = 0; index < histogram.Counts.Length; index++)
        {
            cumulative += histogram.Counts[index];
            AppendName(metric, "_bucket", labelValues, index < histogram.Bounds.Length ? histogram.Bounds[index] : double.PositiveInfinity);
            Append(cumulative);
            Append((byte)'\n');
        }

        AppendName(metric, "_sum", labelValues, bound: null);
        Append(histogram.Sum);
        Append((byte)'\n');
        AppendName(metric, "_count", labelValues, bound: null);
        Append(cumulative);
        Append((byte)'\n');
        End(metric, from);
    }

    /// <summary>Writes everything that was read, in the order of <see cref="WeirMeter.All"/>.</summary>
    public void WriteTo(IBufferWriter<byte> output)
    {
        var lastOrder = -1;
        foreach (var run in Ordered())
        {
            if (run.Order != lastOrder)
            {
                lastOrder = run.Order;
                WriteHead(run.Metric, output);
            }

            output.Write(_bytes.AsSpan(run.From, run.To - run.From));
        }
    }

    /// <summary>The samples without their help, in the same order: lines of <c>series value</c>. Valid until this is disposed.</summary>
    public IEnumerable<ReadOnlyMemory<byte>> Samples() =>
        Ordered().Select(run => new ReadOnlyMemory<byte>(_bytes, run.From, run.To - run.From));

    /// <summary>The text as a string.</summary>
    public override string ToString()
    {
        var output = new ArrayBufferWriter<byte>(_length + 1);
        WriteTo(output);
        return Encoding.UTF8.GetString(output.WrittenSpan);
    }

    /// <summary>Gives the memory back.</summary>
    public void Dispose()
    {
        var bytes = _bytes;
        (_bytes, _length) = ([], 0);
        _runs.Clear();
        if (bytes.Length > 0)
        {
            ArrayPool<byte>.Shared.Return(bytes);
        }
    }

    private static string KindOf(MetricDefinition metric) => metric.Kind switch
    {
        MetricKind.Counter => " counter\n",
        MetricKind.Histogram => " histogram\n",
        _ => " gauge\n",
    };

    /// <summary>Help and type, by way of the free end of the memory.</summary>
    private void WriteHead(MetricDefinition metric, IBufferWriter<byte> output)
    {
        var from = _length;
        Append("# HELP ");
        Append(metric.Name);
        Append((byte)' ');
        AppendEscaped(metric.Help, isQuoted: false);
        Append("\n# TYPE ");
        Append(metric.Name);
        Append(KindOf(metric));
        output.Write(_bytes.AsSpan(from, _length - from));
        _length = from;
    }

    private IOrderedEnumerable<Run> Ordered() => _runs.OrderBy(run => run.Order); // Stable: runs of one metric stay as they came.

    private int Begin(MetricDefinition metric, int labelCount)
    {
        ObjectDisposedException.ThrowIf(_bytes.Length == 0, this);
        return labelCount == metric.Labels.Length
            ? _length
            : throw new ArgumentException($"{metric.Name} has {metric.Labels.Length} labels and was given {labelCount}.", nameof(labelCount));
    }

    private void End(MetricDefinition metric, int from)
    {
        if (_runs.Count > 0 && _runs[^1] is var last && ReferenceEquals(last.Metric, metric))
        {
            _runs[^1] = last with { To = _length };
            return;
        }

        if (!_order.TryGetValue(metric.Name, out var order) && !_otherOrder.TryGetValue(metric.Name, out order))
        {
            order = _order.Count + _otherOrder.Count;
            _otherOrder.Add(metric.Name, order);
        }

        _runs.Add(new Run(metric, order, from, _length));
    }

    private void AppendName(MetricDefinition metric, string suffix, ReadOnlySpan<string> labelValues, double? bound)
    {
        Append(metric.Name);
        Append(suffix);
        for (var index = 0; index < labelValues.Length; index++)
        {
            Append(index == 0 ? (byte)'{' : (byte)',');
            Append(metric.Labels[index]);
            Append("=\"");
            AppendEscaped(labelValues[index], isQuoted: true);
            Append((byte)'"');
        }

        if (bound is { } limit)
        {
            Append(labelValues.Length == 0 ? (byte)'{' : (byte)',');
            Append("le=\"");
            AppendBound(limit);
            Append((byte)'"');
        }

        Append(labelValues.Length > 0 || bound is not null ? "} " : " ");
    }

    private void AppendEscaped(string value, bool isQuoted)
    {
        var rest = value.AsSpan();
        for (var at = rest.IndexOfAny('\\', '\n', '"'); at >= 0; at = rest.IndexOfAny('\\', '\n', '"'))
        {
            Append(rest[..at]);
            Append(rest[at] switch
            {
                '\\' => "\\\\",
                '\n' => "\\n",
                _ => isQuoted ? "\\\"" : "\"",
            });
            rest = rest[(at + 1)..];
        }

        Append(rest);
    }

    private void AppendBound(double bound)
    {
        if (double.IsPositiveInfinity(bound))
        {
            Append("+Inf");
            return;
        }

        Reserve(NumberBytesMax);
        _ = bound.TryFormat(_bytes.AsSpan(_length), out var written, "0.######", CultureInfo.InvariantCulture);
        _length += written;
    }

    private void Append(double value)
    {
        Reserve(NumberBytesMax);
        _ = value.TryFormat(_bytes.AsSpan(_length), out var written, "R", CultureInfo.InvariantCulture);
        _length += written;
    }

    private void Append(long value)
    {
        Reserve(NumberBytesMax);
        _ = value.TryFormat(_bytes.AsSpan(_length), out var written, provider: CultureInfo.InvariantCulture);
        _length += written;
    }

    private void Append(byte letter)
    {
        Reserve(1);
        _bytes[_length++] = letter;
    }

    private void Append(ReadOnlySpan<char> text)
    {
        Reserve(Encoding.UTF8.GetMaxByteCount(text.Length));
        _length += Encoding.UTF8.GetBytes(text, _bytes.AsSpan(_length));
    }

    private void Reserve(int bytes)
    {
        if (_bytes.Length - _length < bytes)
        {
            var larger = ArrayPool<byte>.Shared.Rent(Math.Max(_bytes.Length * 2, _length + bytes));
            _bytes.AsSpan(0, _length).CopyTo(larger);
            ArrayPool<byte>.Shared.Return(_bytes);
            _bytes = larger;
        }
    }

    /// <summary>Samples of one metric that came one after another.</summary>
    private readonly record struct Run(MetricDefinition Metric, int Order, int From, int To);
}
