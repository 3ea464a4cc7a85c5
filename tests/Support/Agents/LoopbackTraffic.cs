using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Weir.Tests.Support.Agents;

/// <summary>Real conversations of this process with itself on the loopback interface: TCP, UDP, a closed port, ping; IPv4 and IPv6.</summary>
internal sealed class LoopbackTraffic : IDisposable
{
    private static readonly IPAddress[] _addresses = [IPAddress.Parse("127.77.0.1"), IPAddress.Parse("127.77.0.2"), IPAddress.IPv6Loopback];

    private readonly List<TcpListener> _listeners = [];
    private readonly List<UdpClient> _echoes = [];

    /// <summary>Opens the servers, so that their ports are known.</summary>
    public LoopbackTraffic()
    {
        foreach (IPAddress address in _addresses)
        {
            var listener = new TcpListener(address, 0);
            listener.Start();
            _listeners.Add(listener);
            _echoes.Add(new UdpClient(new IPEndPoint(address, 0)));
        }
    }

    /// <summary>A capture filter for this traffic alone: whoever else uses the loopback interface stays out, but for pings of ::1.</summary>
    public string Filter
    {
        get
        {
            IEnumerable<int> ports = _listeners.Select(listener => ((IPEndPoint)listener.LocalEndpoint).Port)
                .Concat(_echoes.Select(echo => ((IPEndPoint)echo.Client.LocalEndPoint!).Port));
            string ofPorts = string.Join(" or ", ports.Select(port => string.Create(CultureInfo.InvariantCulture, $"port {port}")));
            return $"net 127.77.0.0/24 or (ip6 and ({ofPorts}))";
        }
    }

    /// <summary>Talks; the sizes come from a fixed seed, the client ports from the kernel.</summary>
    public void Talk(int seed, int rounds)
    {
        var random = new Random(seed);
        for (int round = 0; round < rounds; round++)
        {
            for (int index = 0; index < _addresses.Length; index++)
            {
                TalkTcp(_listeners[index], random);
                TalkUdp(_echoes[index], random);
            }
        }

        SendToClosedPort();
        AgentProcess.Run("ping", "-q", "-c", "3", "-i", "0.2", "-I", "127.77.0.1", "127.77.0.2");
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _listeners.ForEach(listener => listener.Dispose());
        _echoes.ForEach(echo => echo.Dispose());
    }

    private static void TalkTcp(TcpListener listener, Random random)
    {
        var server = (IPEndPoint)listener.LocalEndpoint;
        using var client = new TcpClient(server.AddressFamily);
        client.Connect(server);
        using TcpClient accepted = listener.AcceptTcpClient();
        byte[] request = new byte[random.Next(1, 2_000)];
        byte[] answer = new byte[random.Next(1, 20_000)];
        client.GetStream().Write(request);
        accepted.GetStream().ReadExactly(request);
        accepted.GetStream().Write(answer);
        client.GetStream().ReadExactly(answer);
    }

    private static void TalkUdp(UdpClient server, Random random)
    {
        var address = (IPEndPoint)server.Client.LocalEndPoint!;
        using var client = new UdpClient(new IPEndPoint(address.Address, 0));
        for (int count = random.Next(1, 6); count > 0; count--)
        {
            client.Send(new byte[random.Next(0, 1_200)], address);
            IPEndPoint? from = null;
            server.Receive(ref from);
            server.Send(new byte[random.Next(0, 1_200)], from);
            client.Receive(ref from);
        }
    }

    // The kernel answers with an ICMP error, which holds a copy of the datagram's headers.
    private static void SendToClosedPort()
    {
        using var client = new UdpClient(new IPEndPoint(_addresses[0], 0));
        client.Send(new byte[100], new IPEndPoint(_addresses[1], 9));
    }
}
