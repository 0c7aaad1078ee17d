"""HTTP servers in threads of this process, which listen in another network namespace, optionally
on one device. A thread and not a program: an idle server costs nothing, tests can read its state,
and it ends with the process."""
from __future__ import annotations

import socket
import struct
import threading
from http.server import ThreadingHTTPServer
from socketserver import TCPServer
from typing import Any

ABORT = struct.pack("ii", 1, 0)  # SO_LINGER: on, timeout 0
UNACKNOWLEDGED_MS = 5000  # timeout of an undelivered reply


class Server(ThreadingHTTPServer):
    """An HTTP server, or a mixin for one. Must be made inside of the namespace; its socket stays
    there. start() starts it; end() ends it at once, with its connections: an open connection would
    keep the namespace alive."""
    daemon_threads = True
    request_queue_size = 128
    device = ""  # of the namespace; "": all devices

    def server_bind(self) -> None:
        if self.device:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE,
                                   self.device.encode())
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNACKNOWLEDGED_MS)
        TCPServer.server_bind(self)  # HTTPServer's would resolve our own name

    def start(self) -> None:
        self._open: set[socket.socket] = set()
        self._guard = threading.Lock()
        self._ended = False
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        """Blocks in accept(); serve_forever() would poll twice a second."""
        while True:
            try:
                connection, peer = self.get_request()
            except OSError:
                if self._ended:
                    return
                continue  # the client has gone
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
                    connection.shutdown(socket.SHUT_RDWR)  # wakes a reader
                except OSError:
                    pass  # the connection has just ended
        self.server_close()

    def handle_error(self, *_: Any) -> None:
        pass  # some clients of the lab close early on purpose
