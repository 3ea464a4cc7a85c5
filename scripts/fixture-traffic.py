#!/usr/bin/env python3
"""Traffic for scripts/record-fixture.sh: servers on many ports, and clients that visit them with real sockets, curl and ping.

Runs inside the network namespaces that the script makes; standard library only.
"""

import argparse
import asyncio
import random
import signal
import socket
import time

IP_TOS_BY_PORT = {22: 0x10, 5060: 0x68, 3478: 0xB8, 179: 0xC0}
TCP_PORTS = [22, 25, 80, 110, 143, 179, 389, 443, 445, 587, 993, 1433, 3306, 5432, 5672, 6379, 8080, 8443, 9092, 9200, 11211, 27017]
UDP_PORTS = [53, 123, 161, 443, 514, 1812, 3478, 4500, 4789, 5060, 6343, 8125, 51820]
HTTP_PORTS = [80, 443, 8080, 8443]
CLOSED_TCP_PORTS = [23, 135, 3389, 5900]
CLOSED_UDP_PORTS = [69, 137, 1900]


async def serve_tcp(reader, writer):
    """Answers HTTP requests with a page, and any other request "GIVE n" with n bytes."""
    try:
        while line := await reader.readline():
            words = line.split()
            if words[:1] == [b"GIVE"]:
                writer.write(bytes(int(words[1])))
            elif words[:1] == [b"GET"]:
                while (await reader.readline()).strip():
                    pass
                size = int(words[1].rsplit(b"/", 1)[1])
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + bytes(size))
            await writer.drain()
    except (ConnectionError, ValueError):
        pass
    finally:
        writer.close()


class UdpEcho(asyncio.DatagramProtocol):
    """Sends back as many bytes as the first two of the datagram say; nothing for 0."""

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, addr):
        size = int.from_bytes(data[:2], "big")
        if size:
            self.transport.sendto(bytes(size), addr)


async def serve():
    loop = asyncio.get_running_loop()
    for port in TCP_PORTS:
        await asyncio.start_server(serve_tcp, "0.0.0.0", port)
        await asyncio.start_server(serve_tcp, "::", port)
    # A socket for each address: an answer has to come from the address that was asked.
    for host in range(10, 30):
        for address in (f"10.20.0.{host}", f"2001:db8:20::{host}"):
            for port in UDP_PORTS:
                await loop.create_datagram_endpoint(UdpEcho, local_addr=(address, port))
    await asyncio.Event().wait()


class Site:
    """The hosts of one site and what they do."""

    def __init__(self, site, net, seconds):
        self.random = random.Random(20260101 + site)
        self.site = site
        self.net = net
        self.end = time.monotonic() + seconds

    def pair(self):
        """A client address and a server address; some hosts are far busier than others, one flow in three is IPv6."""
        client = 10 + min(39, int(self.random.paretovariate(0.8)) - 1)
        server = 10 + min(19, int(self.random.paretovariate(0.7)) - 1)
        if self.random.random() < 0.33:
            return socket.AF_INET6, f"2001:db8:{self.site}::{client}", f"2001:db8:20::{server}"
        return socket.AF_INET, f"{self.net}.{client}", f"10.20.0.{server}"

    def size(self, low, high):
        return int(min(high, low * self.random.paretovariate(0.9)))

    def open_socket(self, family, kind, source, port):
        sock = socket.socket(family, kind)
        sock.setblocking(False)
        tos = IP_TOS_BY_PORT.get(port, 0)
        if tos:
            if family == socket.AF_INET:
                sock.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, tos)
            else:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, tos)
        sock.bind((source, 0))
        return sock

    async def tcp(self):
        family, source, target = self.pair()
        closed = self.random.random() < 0.04
        port = self.random.choice(CLOSED_TCP_PORTS if closed else TCP_PORTS)
        loop = asyncio.get_running_loop()
        with self.open_socket(family, socket.SOCK_STREAM, source, port) as sock:
            try:
                await loop.sock_connect(sock, (target, port))
                for _ in range(self.random.randint(1, 4)):
                    size = self.size(60, 400_000)
                    await loop.sock_sendall(sock, b"GIVE %d\n" % size)
                    while size > 0:
                        part = await loop.sock_recv(sock, 65536)
                        if not part:
                            return
                        size -= len(part)
                    await asyncio.sleep(self.random.random() * 0.4)
            except OSError:
                pass

    async def udp(self):
        family, source, target = self.pair()
        closed = self.random.random() < 0.04
        port = self.random.choice(CLOSED_UDP_PORTS if closed else UDP_PORTS)
        loop = asyncio.get_running_loop()
        with self.open_socket(family, socket.SOCK_DGRAM, source, port) as sock:
            sock.connect((target, port))
            for _ in range(1 if port in (53, 123, 514) else self.size(1, 60)):
                answer = self.random.choice([0, 64, 120, 480, 1200])
                try:
                    await loop.sock_sendall(sock, answer.to_bytes(2, "big") + bytes(self.random.randint(20, 1200)))
                    if answer and not closed:
                        await asyncio.wait_for(loop.sock_recv(sock, 65536), 1)
                except (OSError, asyncio.TimeoutError):
                    return

    async def program(self, *command):
        process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL)
        await process.wait()

    async def ping(self):
        _, source, target = self.pair()
        count, size = self.random.randint(1, 5), self.random.choice([56, 56, 120, 1400])
        await self.program("ping", "-q", "-i", "0.2", "-c", str(count), "-s", str(size), "-W", "1", "-I", source, target)

    async def curl(self):
        family, source, target = self.pair()
        host = f"[{target}]" if family == socket.AF_INET6 else target
        url = f"http://{host}:{self.random.choice(HTTP_PORTS)}/{self.size(200, 1_000_000)}"
        await self.program("curl", "-s", "-o", "/dev/null", "--max-time", "10", "--interface", source, url)

    async def worker(self, visit, pause):
        while time.monotonic() < self.end:
            await visit()
            await asyncio.sleep(pause * self.random.random() * 2)

    async def run(self):
        plan = [(self.tcp, 0.4)] * 8 + [(self.udp, 0.3)] * 6 + [(self.ping, 0.3)] * 2 + [(self.curl, 0.3)] * 2
        await asyncio.gather(*(self.worker(visit, pause) for visit, pause in plan))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("serve")
    visit = commands.add_parser("visit")
    visit.add_argument("--site", type=int, required=True)
    visit.add_argument("--net", required=True)
    visit.add_argument("--seconds", type=float, required=True)
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    asyncio.run(serve() if options.command == "serve" else Site(options.site, options.net, options.seconds).run())


if __name__ == "__main__":
    main()
