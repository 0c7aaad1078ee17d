"""The server of the shared file system's stand-in, run on its host. For each connection to the
given port it starts OpenSSH's sftp-server, which speaks its protocol without SSH."""
from __future__ import annotations

import os
import signal
import socket
import sys

SERVER = "/usr/lib/openssh/sftp-server"


def main() -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.create_server(("0.0.0.0", int(sys.argv[1])), backlog=64) as listener:
        while True:
            peer, _ = listener.accept()
            # A timeout for clients that have disappeared.
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if os.fork() == 0:
                os.dup2(peer.fileno(), 0)
                os.dup2(peer.fileno(), 1)
                os.umask(0o022)
                os.execv(SERVER, [SERVER, "-e", "-l", "ERROR"])
            peer.close()


if __name__ == "__main__":
    main()
