"""Stand-in for the endpoint that gives a container its credentials: AWS has no
server to run. One answer, to one secret.

Arguments: port on loopback, the Authorization header that is right, the answer.
"""
from __future__ import annotations

import sys
from http.server import BaseHTTPRequestHandler, HTTPServer


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        right = self.headers.get("Authorization") == sys.argv[2]
        body = sys.argv[3].encode() if right else b"{}"
        self.send_response(200 if right else 403)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
