using System.Text.Json;
using System.Text.Json.Serialization;

namespace Weir.Loadgen.Replay;

/// <summary>The positions of a running <c>weir</c>, asked of <c>GET /positions</c> of its admin endpoint.</summary>
public sealed partial class AdminPositions : IDisposable
{
    private static readonly TimeSpan _timeout = TimeSpan.FromSeconds(5);

    private readonly HttpClient _client = new() { Timeout = _timeout };
    private readonly Uri _address;

    /// <summary>Names the admin endpoint, such as <c>http://127.0.0.1:9526</c>.</summary>
    public AdminPositions(Uri admin) => _address = new Uri(admin, "/positions");

    /// <summary>Asks. The answer is a JSON array of <c>{"topic", "partition", "next_offset"}</c>.</summary>
    public async ValueTask<IReadOnlyList<ConsumerPosition>> ReadAsync(CancellationToken cancellation)
    {
        try
        {
            using Stream answer = await _client.GetStreamAsync(_address, cancellation);
            PositionJson[] positions =
                await JsonSerializer.DeserializeAsync(answer, PositionJsonContext.Default.PositionJsonArray, cancellation) ?? [];
            return [.. positions.Select(position => new ConsumerPosition(position.Topic, position.Partition, position.NextOffset))];
        }
        catch (JsonException error)
        {
            throw new InvalidDataException($"{_address} did not answer with positions: {error.Message}", error);
        }
        catch (TaskCanceledException error) when (!cancellation.IsCancellationRequested)
        {
            throw new IOException($"{_address} did not answer within {_timeout.TotalSeconds:0} s.", error);
        }
    }

    /// <summary>Closes the connection.</summary>
    public void Dispose() => _client.Dispose();

    internal sealed record PositionJson(string Topic, int Partition, long NextOffset);

    [JsonSerializable(typeof(PositionJson[]))]
    [JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
    internal sealed partial class PositionJsonContext : JsonSerializerContext;
}
