"""Run inside a host: visitors of the page.

    proof/visit.py URL WORKERS [PAUSE_S]        reads the page
    proof/visit.py URL WORKERS PAUSE_S WORD     posts rows named WORD-<number> with the form
    proof/visit.py URL WORKERS PAUSE_S "" keep  reads the page over connections that stay open

Each request gives a JSON line on standard output: at (start, time.time()), took_s, status
(0: no answer), why, address (the instance's, from the page), row. Each request resolves the name
and opens a connection, like a new visitor, or, with "keep", uses the visitor's last one as long as
the server keeps it. Ends with its standard input.
Uses no module of the project: the host's own Python runs it.
"""
from __future__ import annotations

import http.client
import itertools
import json
import os
import re
import sys
import threading
import time
from typing import Any
from urllib.parse import urlencode, urlsplit

PATIENCE_S = 10.0
ADDRESS = re.compile(r"Private IP Address.*?(\d+\.\d+\.\d+\.\d+)", re.S)
LOCK = threading.Lock()


def request(connection: http.client.HTTPConnection, path: str, row: str, keep: bool
            ) -> dict[str, Any]:
    """http.client opens the connection anew after the server has said that it closes it."""
    began = time.time()
    found: dict[str, Any] = {"at": began, "status": 0, "why": "", "address": "", "row": row}
    try:
        if row:
            connection.request("POST", path, urlencode({"name": row, "address": "SEOUL"}), {
                "Content-Type": "application/x-www-form-urlencoded"})
        else:
            connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read().decode(errors="replace")
        found["status"] = answer.status
        if shown := ADDRESS.search(body):
            found["address"] = shown[1]
        if answer.status >= 400:
            found["why"] = re.sub(r"<[^>]*>|\s+", " ", body)[:200]
    except (OSError, http.client.HTTPException) as error:
        found["why"] = f"{type(error).__name__}: {error}"
        connection.close()
    if not keep:
        connection.close()
    found["took_s"] = round(time.time() - began, 4)
    return found


def visitor(url: str, pause_s: float, word: str, keep: bool, numbers: "itertools.count[int]"
            ) -> None:
    place = urlsplit(url)
    connection = http.client.HTTPConnection(place.hostname or "", place.port or 80,
                                            timeout=PATIENCE_S)
    while True:
        row = f"{word}-{next(numbers)}" if word else ""
        found = request(connection, place.path or "/", row, keep)
        with LOCK:
            print(json.dumps(found), flush=True)
        time.sleep(pause_s)  # a visitor's pause


def main() -> None:
    url, workers, *rest = sys.argv[1:]
    pause_s = float(rest[0]) if rest else 0.0
    word = rest[1] if len(rest) > 1 else ""
    keep = rest[2:] == ["keep"]
    numbers = itertools.count(1)
    for _ in range(int(workers)):
        threading.Thread(target=visitor, args=(url, pause_s, word, keep, numbers),
                         daemon=True).start()
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main()
