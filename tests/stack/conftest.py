"""The template with its defaults, and an account for userdata/deploy."""
from __future__ import annotations

import threading
from http.server import HTTPServer
from pathlib import Path
from typing import Iterator

import pytest

from account import Account, Page
from reading import Template


@pytest.fixture(scope="session")
def stack() -> Template:
    return Template()


@pytest.fixture(scope="session")
def url() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Page)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def account(tmp_path: Path, url: str) -> Account:
    return Account(tmp_path, url)
