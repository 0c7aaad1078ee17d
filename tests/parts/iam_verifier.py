"""Beside a MariaDB with parts/iam_plugin.c: verifies the login tokens, as RDS does on the database's host
(parts/iam_mysql.py has the rules and their sources).

Arguments: SOCKET RULES. RULES is a JSON file, read at each login: {"host", "port", "region",
"users": [NAME], "keys": {ACCESS KEY: [SECRET, TOKEN]}}; the users are those whose rds-db:connect the
role has. Says "ready", and for each login "accepted USER" or "refused USER REASON", never the token.
"""
from __future__ import annotations

import json
import os
import socket
import sys
from pathlib import Path

from parts.iam_mysql import Refused, verify


def judge(line: str, rules: Path) -> bool:
    user, _, token = line.rstrip("\0\n").partition(" ")
    try:
        known = json.loads(rules.read_text())
        if user not in known["users"]:
            raise Refused("without rds-db:connect")
        verify(token.rstrip("\0"), {**known, "user": user})
    except (Refused, KeyError, ValueError) as reason:
        print(f"refused {user} {reason}", flush=True)
        return False
    print(f"accepted {user}", flush=True)
    return True


def main() -> None:
    place, rules = sys.argv[1:]
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(place)
        os.chmod(place, 0o777)
        server.listen(64)
        print("ready", flush=True)
        while True:
            peer, _ = server.accept()
            with peer, peer.makefile("r", encoding="utf-8", newline="\n") as lines:
                peer.settimeout(5)
                try:
                    peer.sendall(b"y" if judge(lines.readline(), Path(rules)) else b"n")
                except OSError as fault:
                    print(f"ended {fault}", flush=True)


if __name__ == "__main__":
    main()
