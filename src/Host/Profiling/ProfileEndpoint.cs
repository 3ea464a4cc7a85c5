using System.Diagnostics.Tracing;
using System.Globalization;
using Microsoft.Diagnostics.NETCore.Client;

namespace Weir.Host.Profiling;

/// <summary>What is recorded.</summary>
internal enum ProfileKind
{
    /// <summary>Where managed code runs, a thousand times a second.</summary>
    Cpu,

    /// <summary>What is allocated, a sample for each 100 KB or so.</summary>
    Alloc,

    /// <summary>Where threads wait for a lock.</summary>
    Contention,
}

/// <summary><c>/profile</c>: the runtime's own event pipe, switched on for some seconds, as the bytes of a .nettrace file.</summary>
/// <remarks>One at a time. Nothing is recorded, and nothing costs, while nobody asks.</remarks>
internal sealed class ProfileEndpoint(TimeProvider time)
{
    private const int SecondsDefault = 10;
    private const int SecondsMax = 600;
    private const int BufferMegabytes = 64;

    // Of the provider Microsoft-Windows-DotNETRuntime.
    private const long GcKeyword = 0x1;
    private const long LoaderAndJitKeywords = 0x18;
    private const long ContentionKeyword = 0x4000;

    private int _isRecording;

    /// <summary>Answers one request.</summary>
    public async Task AnswerAsync(HttpContext http)
    {
        var query = http.Request.Query;
        var seconds = SecondsDefault;
        var hasSeconds = string.IsNullOrEmpty(query["seconds"])
            || (int.TryParse(query["seconds"], NumberStyles.None, CultureInfo.InvariantCulture, out seconds) && seconds is >= 1 and <= SecondsMax);
        if (!hasSeconds || !Enum.TryParse<ProfileKind>(query["kind"], ignoreCase: true, out var kind) || !Enum.IsDefined(kind))
        {
            await RefuseAsync(http, StatusCodes.Status400BadRequest, $"allowed: kind cpu, alloc or contention, seconds 1 to {SecondsMax}");
            return;
        }

        if (Interlocked.CompareExchange(ref _isRecording, 1, 0) != 0)
        {
            await RefuseAsync(http, StatusCodes.Status503ServiceUnavailable, "a profile is being recorded; ask again");
            return;
        }

        try
        {
            await RecordAsync(http, kind, TimeSpan.FromSeconds(seconds));
        }
        catch (Exception error) when (error is ServerNotAvailableException or DiagnosticsClientException && !http.Response.HasStarted)
        {
            await RefuseAsync(http, StatusCodes.Status503ServiceUnavailable, $"the runtime's event pipe cannot be had ({error.Message}); is DOTNET_EnableDiagnostics 0?");
        }
        catch (OperationCanceledException)
        {
            // The caller has left; the recording was stopped.
        }
        finally
        {
            Volatile.Write(ref _isRecording, 0);
        }
    }

    private async Task RecordAsync(HttpContext http, ProfileKind kind, TimeSpan duration)
    {
        // The event pipe of this very process, over its own socket: the bytes pass through and are read elsewhere.
        var client = new DiagnosticsClient(Environment.ProcessId);
        using var session = await client.StartEventPipeSessionAsync(Providers(kind), requestRundown: true, BufferMegabytes, http.RequestAborted);
        http.Response.ContentType = "application/octet-stream";
        var copying = session.EventStream.CopyToAsync(http.Response.Body, http.RequestAborted);
        try
        {
            using var timer = new PeriodicTimer(duration, time);
            await timer.WaitForNextTickAsync(http.RequestAborted);
        }
        finally
        {
            await session.StopAsync(CancellationToken.None);
        }

        await copying;
    }

    private static EventPipeProvider[] Providers(ProfileKind kind)
    {
        const string Runtime = "Microsoft-Windows-DotNETRuntime";
        return kind switch
        {
            ProfileKind.Cpu =>
            [
                new EventPipeProvider("Microsoft-DotNETCore-SampleProfiler", EventLevel.Informational),
                new EventPipeProvider(Runtime, EventLevel.Informational, LoaderAndJitKeywords),
            ],
            ProfileKind.Alloc => [new EventPipeProvider(Runtime, EventLevel.Verbose, GcKeyword | LoaderAndJitKeywords)],
            _ => [new EventPipeProvider(Runtime, EventLevel.Informational, ContentionKeyword | LoaderAndJitKeywords)],
        };
    }

    private static Task RefuseAsync(HttpContext http, int status, string reason)
    {
        http.Response.StatusCode = status;
        http.Response.ContentType = "text/plain; charset=utf-8";
        return http.Response.WriteAsync(reason + "\n", http.RequestAborted);
    }
}
