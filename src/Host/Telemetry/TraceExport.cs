using OpenTelemetry;
using OpenTelemetry.Exporter;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;
using Weir.Core.Telemetry;

namespace Weir.Host.Telemetry;

/// <summary>Sends the spans of cuts to a collector by OTLP over HTTP; nothing is made while no address is set.</summary>
internal static class TraceExport
{
    /// <summary>Starts to export.</summary>
    /// <param name="options">The address.</param>
    /// <param name="version">Version of the program.</param>
    /// <returns>What ends it, after the spans that wait are sent; null where no address is set.</returns>
    public static IDisposable? Start(TelemetryOptions options, string version) => options.TracesUrl is not { } url
        ? null
        : Sdk.CreateTracerProviderBuilder()
            .ConfigureResource(resource => resource.AddService("weir", serviceVersion: version))
            .AddSource(CutTrace.SourceName)
            .AddOtlpExporter(exporter =>
            {
                exporter.Endpoint = new Uri(url, "v1/traces");
                exporter.Protocol = OtlpExportProtocol.HttpProtobuf;
            })
            .Build();
}
