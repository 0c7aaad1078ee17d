"""Deletes tracked connections through netlink: conntrack(8) is rarely installed."""
from __future__ import annotations

import socket
import struct

NETLINK_NETFILTER = 12
DELETE = (1 << 8) | 2   # NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_DELETE
REQUEST_ACK = 0x1 | 0x4
ERROR = 2               # NLMSG_ERROR; with the number 0 an acknowledgement


def forget() -> None:
    """Deletes all connections of the calling thread's network namespace."""
    generic = struct.pack("=BBH", socket.AF_UNSPEC, 0, 0)  # struct nfgenmsg
    header = struct.pack("=IHHII", 16 + len(generic), DELETE, REQUEST_ACK, 1, 0)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER) as peer:
        peer.settimeout(5)
        peer.send(header + generic)
        answer = peer.recv(4096)
    kind, number = struct.unpack_from("=H", answer, 4)[0], struct.unpack_from("=i", answer, 16)[0]
    if kind != ERROR or number != 0:
        raise OSError(-number, "connections cannot be forgotten")
