using System.Net;
using System.Text;
using Weir.Host.Commands;

namespace Weir.Host.Admin;

/// <summary><c>/query</c>: reads from the embedded store while this process holds it.</summary>
internal sealed class QueryEndpoint(AdminOptions options, ReadOnlyQuery? query)
{
    /// <summary>Questions at one time: the store shares memory and cores with the pipeline.</summary>
    private const int QueriesMax = 4;

    private const string FormatDefault = "TSV";

    private readonly SemaphoreSlim _free = new(QueriesMax);

    /// <summary>Answers <c>GET ?query=…</c> and <c>POST</c> with the SQL as the body; <c>format</c> names the output format.</summary>
    public async Task AnswerAsync(HttpContext http)
    {
        if (query is null)
        {
            await RefuseAsync(http, HttpStatusCode.NotFound, "this weir has no embedded store; ask its ClickHouse server");
            return;
        }

        if (RefuseCaller(http.Request) is { } reason)
        {
            await RefuseAsync(http, HttpStatusCode.Forbidden, reason);
            return;
        }

        var format = http.Request.Query["format"].FirstOrDefault() ?? FormatDefault;
        var sql = await ReadSqlAsync(http);
        var refused = QueryFormats.IsName(format) ? ReadOnlySql.Refuse(sql) : "the format is not a name";
        if (refused is not null)
        {
            await RefuseAsync(http, HttpStatusCode.BadRequest, refused);
        }
        else if (!_free.Wait(TimeSpan.Zero))
        {
            await RefuseAsync(http, HttpStatusCode.ServiceUnavailable, $"{QueriesMax} questions are being answered; ask again");
        }
        else
        {
            try
            {
                await AnswerAsync(http, sql, format, query);
            }
            finally
            {
                _free.Release();
            }
        }
    }

    private static async Task AnswerAsync(HttpContext http, string sql, string format, ReadOnlyQuery query)
    {
        http.Response.ContentType = QueryFormats.ContentTypeOf(format);
        try
        {
            await query(sql, format, http.Response.Body, http.RequestAborted);
        }
        catch (StoreException error) when (!http.Response.HasStarted)
        {
            await RefuseAsync(http, HttpStatusCode.BadRequest, error.Message);
        }
        catch (Exception error) when (error is StoreException or OperationCanceledException)
        {
            http.Abort(); // The caller must not take half an answer for a whole one.
        }
    }

    private static async Task<string> ReadSqlAsync(HttpContext http)
    {
        if (HttpMethods.IsGet(http.Request.Method))
        {
            return http.Request.Query["query"].FirstOrDefault() ?? "";
        }

        using var reader = new StreamReader(http.Request.Body, Encoding.UTF8);
        return await reader.ReadToEndAsync(http.RequestAborted);
    }

    private static Task RefuseAsync(HttpContext http, HttpStatusCode status, string reason)
    {
        http.Response.StatusCode = (int)status;
        http.Response.ContentType = "text/plain; charset=utf-8";
        return http.Response.WriteAsync(reason + "\n", http.RequestAborted);
    }

    /// <summary>
    /// Questions come from this machine only, unless the option says otherwise. A web page in a browser here must not ask
    /// either: its requests carry an Origin, or a Host that was made to lead here.
    /// </summary>
    private string? RefuseCaller(HttpRequest request)
    {
        if (options.RemoteQueries)
        {
            return null;
        }

        if (!IPAddress.IsLoopback(options.Listen.Address))
        {
            return "questions are answered on a loopback address only; set admin.listen to one, or admin.remote_queries to true";
        }

        var host = request.Host.Host;
        var isLocal = host == "localhost" || (IPAddress.TryParse(host.Trim('[', ']'), out var address) && IPAddress.IsLoopback(address));
        return isLocal && request.Headers.Origin.Count == 0 ? null : "questions are answered to programs on this machine only";
    }
}
