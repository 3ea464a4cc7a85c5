using System.Net;
using System.Text.Json;

namespace Weir.Host.Reload;

/// <summary><c>POST /reload</c> of the admin endpoint.</summary>
/// <remarks>
/// Only from this machine, so in Kubernetes only from within the pod, and only with a header that no page of another origin can
/// send without asking first, which nobody answers.
/// </remarks>
internal sealed class ReloadEndpoint(Func<CancellationToken, Task<ReloadReport>>? reload)
{
    /// <summary>The header that a request has to have.</summary>
    public const string Header = "Weir-Reload";

    /// <summary>Answers one request.</summary>
    public async Task AnswerAsync(HttpContext http)
    {
        var isAllowed = http.Connection.RemoteIpAddress is { } address && IPAddress.IsLoopback(address) && http.Request.Headers.ContainsKey(Header);
        if (reload is null || !isAllowed)
        {
            http.Response.StatusCode = (int)(reload is null ? HttpStatusCode.NotFound : HttpStatusCode.Forbidden);
            return;
        }

        var report = await reload(http.RequestAborted);
        http.Response.StatusCode = (int)(report.IsRefused ? HttpStatusCode.UnprocessableEntity : HttpStatusCode.OK);
        http.Response.ContentType = "application/json; charset=utf-8";
        await http.Response.WriteAsync(JsonSerializer.Serialize(report, JsonSerializerOptions.Web) + "\n", http.RequestAborted);
    }
}
