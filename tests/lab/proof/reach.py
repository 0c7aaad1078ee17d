"""Run inside a host: probes other hosts, or listens for probes.

    proof/reach.py listen PORT...   TCP and UDP on each port that has no server yet;
                              prints "listening", ends with its standard input
    proof/reach.py probe            targets as JSON on standard input, verdicts on standard output

A target is [address, port, protocol]. Verdicts: "open" (connected, or answered), "reset"
(refused by the target: the network allowed the packet), "silent".
Uses no module of the project: the host's own Python runs it.
"""
from __future__ import annotations

import asyncio
import errno
import json
import os
import socket
import struct
import sys

WAIT_S = 1.5   # timeout on a network without delay: longer than TCP's first retransmission
AT_ONCE = 600  # fewer than the limit of open files
ECHO, REPLY = 8, 0
IDENTITY = os.getpid() & 0xffff


async def tcp(address: str, port: int) -> str:
    peer = socket.socket()
    peer.setblocking(False)
    try:
        await asyncio.wait_for(asyncio.get_running_loop().sock_connect(peer, (address, port)),
                               WAIT_S)
        return "open"
    except asyncio.TimeoutError:
        return "silent"
    except OSError as error:
        # No answer to ARP: no packet was delivered. ECONNABORTED: this host's own agent ended the
        # attempt, since the target is a former writer.
        unanswered = error.errno in (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ETIMEDOUT,
                                     errno.ECONNABORTED)
        return "silent" if unanswered else "reset"
    finally:
        peer.close()


async def udp(address: str, port: int) -> str:
    peer = socket.socket(type=socket.SOCK_DGRAM)
    peer.setblocking(False)
    loop = asyncio.get_running_loop()
    try:
        peer.connect((address, port))
        for _ in range(2):
            peer.send(b"?")
            try:
                await asyncio.wait_for(loop.sock_recv(peer, 16), WAIT_S / 2)
                return "open"
            except asyncio.TimeoutError:
                pass
        return "silent"
    except ConnectionRefusedError:
        return "reset"
    except OSError:
        return "silent"
    finally:
        peer.close()


def checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071); the length of the data is even."""
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xffff)
    return ~int(total + (total >> 16)) & 0xffff


async def icmp(address: str, number: int) -> str:
    """An echo request (RFC 792), identified by `number`. Not by ping(8): hundreds of processes
    need longer than the answers."""
    loop = asyncio.get_running_loop()
    with socket.socket(type=socket.SOCK_RAW, proto=socket.IPPROTO_ICMP) as peer:
        peer.setblocking(False)
        try:
            peer.connect((address, 0))
            rest = struct.pack("!HH", IDENTITY, number) + b"knock---"
            head = struct.pack("!BBH", ECHO, 0, checksum(struct.pack("!BBH", ECHO, 0, 0) + rest))
            end = loop.time() + WAIT_S
            peer.send(head + rest)
            while True:
                packet = await asyncio.wait_for(loop.sock_recv(peer, 2048), end - loop.time())
                answer = packet[(packet[0] & 15) * 4:]
                if answer[:1] == bytes([REPLY]) and answer[4:8] == rest[:4]:
                    return "open"
        except (asyncio.TimeoutError, OSError):
            return "silent"


async def probe(targets: list[tuple[str, int, str]]) -> list[str]:
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(number: int, address: str, port: int, protocol: str) -> str:
        async with gate:
            if protocol == "icmp":
                return await icmp(address, number)
            return await {"tcp": tcp, "udp": udp}[protocol](address, port)
    return list(await asyncio.gather(*(one(n, *target) for n, target in enumerate(targets))))


class Echo(asyncio.DatagramProtocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.DatagramTransport = transport  # type: ignore[assignment]

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.transport.sendto(b"!", addr)


async def listen(ports: list[int]) -> None:
    loop = asyncio.get_running_loop()

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    for port in ports:
        for serve in (asyncio.start_server(answer, "0.0.0.0", port),
                      loop.create_datagram_endpoint(Echo, ("0.0.0.0", port))):
            try:
                await serve
            except OSError as error:
                if error.errno != errno.EADDRINUSE:  # a real server has this port
                    raise
    print("listening", flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


def main() -> None:
    if sys.argv[1] == "listen":
        asyncio.run(listen([int(port) for port in sys.argv[2:]]))
    else:
        targets = [(str(a), int(p), str(k)) for a, p, k in json.load(sys.stdin)]
        json.dump(asyncio.run(probe(targets)), sys.stdout)


if __name__ == "__main__":
    main()
