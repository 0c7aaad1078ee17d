"""HTTP servers that are threads of this process and listen in another network namespace,
on one device of it if need be. A thread and not a program, because such a server costs
nothing while nobody asks, its state is at hand for the tests, and it ends with us.
"""
from __future__ import annotations

import socket
import struct
import threading
from http.server import ThreadingHTTPServer
from socketserver import TCPServer
from typing import Any

ABORT = struct.pack("ii", 1, 0)  # SO_LINGER: on, no time
UNACKNOWLEDGED_MS = 5000  # a reply that does not arrive is given up then


class Server(ThreadingHTTPServer):
    """Mixed into, or used as, an HTTP server. To be made inside the namespace; its
    socket stays there. start(), and end() at once, connections included: what is left
    open would keep the namespace alive."""
    daemon_threads = True
    request_queue_size = 128
    device = ""  # of the namespace; "": all

    def server_bind(self) -> None:
        if self.device:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE,
                                   self.device.encode())
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNACKNOWLEDGED_MS)
        TCPServer.server_bind(self)  # HTTPServer's asks the resolver for our own name

    def start(self) -> None:
        self._open: set[socket.socket] = set()
        self._guard = threading.Lock()
        self._ended = False
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        """Sleeps until somebody comes; serve_forever() would look twice a second."""
        while True:
            try:
                connection, peer = self.get_request()
            except OSError:
                if self._ended:
                    return
                continue  # whoever came has gone again
            with self._guard:
                if self._ended:
                    connection.close()
                    return
                self._open.add(connection)
            self.process_request(connection, peer)

    def shutdown_request(self, request: Any) -> None:
        with self._guard:
            self._open.discard(request)
        super().shutdown_request(request)

    def end(self) -> None:
        with self._guard:
            self._ended = True
            self.socket.shutdown(socket.SHUT_RDWR)  # wakes accept()
            for connection in self._open:
                try:
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABORT)
                    connection.shutdown(socket.SHUT_RDWR)  # wakes whoever reads
                except OSError:
                    pass  # it has just ended by itself
        self.server_close()

    def handle_error(self, *_: Any) -> None:
        pass  # clients that leave early are part of the lab
