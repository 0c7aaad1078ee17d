"""Accepted and refused cloud-configs; a refusal has the line."""
from __future__ import annotations

import base64
import gzip
from pathlib import Path

import pytest

from lab.model import cloudconfig
from lab.model.cloudconfig import BadConfig, parse, script

USER_DATA = Path(__file__).parents[3] / "userdata/user-data.yaml"


def config(*lines: str) -> cloudconfig.Config:
    return parse("#cloud-config\n" + "\n".join(lines) + "\n")


def test_the_stacks_user_data_is_taken() -> None:
    found = parse(USER_DATA.read_text())
    assert [f.path for f in found.files if f.mode == 0o755] == ["/usr/local/sbin/web-node-setup"]
    assert found.runcmd == [["/usr/local/sbin/web-node-setup"]]
    assert len(USER_DATA.read_bytes()) < 8192  # the values need space, too; the limit is 16 KB


@pytest.mark.parametrize("text, words", [
    (" #cloud-config\n", "first line"),
    ("#!/bin/sh\n", "first line"),
    ("#cloud-config\na: [\n", "not YAML"),
    ("#cloud-config\n- a\n", "not a mapping"),
    ("#cloud-config\nfrobnicate: [a]\n", "unknown key: frobnicate"),
    ("#cloud-config\nruncmd: ls\n", "runcmd is not a list"),
    ("#cloud-config\nruncmd: [{a: b}]\n", "neither a text nor a list"),
    ("#cloud-config\nwrite_files: [{content: a}]\n", "no mapping with a path"),
    ("#cloud-config\nwrite_files: [{path: /a, mode: '0644'}]\n", "unknown key"),
    ("#cloud-config\nwrite_files: [{path: /a, encoding: rot13}]\n", "unknown encoding"),
    ("#cloud-config\n" + "#" * 16384, "bytes, more than 16384"),
])
def test_what_is_wrong_is_said(text: str, words: str) -> None:
    with pytest.raises(BadConfig, match=words):
        parse(text)


HEAD = "#cloud-config\n# said first\n"


@pytest.mark.parametrize("text, line, words", [
    ("runcmd: [a]\nruncmd: [b]\n", 4, "runcmd is given twice, first on line 3"),
    ("runcmd: [a]\nusers: [b]\n", 4, "unknown key: users"),
    ("packages:\n  - a\n  - [b]\n", 5, "is no name of a package"),
    ("packages:\n  - a\n  - --nogpgcheck\n", 5, "is no name of a package"),
    ("runcmd:\n  - ls\n  - []\n", 5, "neither a text nor a list"),
    ("bootcmd:\n  - [ls, [a]]\n", 4, "neither a text nor a list"),
    ("write_files:\n  - path: /a\n    owners: me\n", 5, "unknown key owners"),
    ("write_files:\n  - path: a\n", 4, "'a' is no absolute path"),
    ("write_files:\n  - path: [a]\n", 4, "path is of the wrong kind"),
    ("write_files:\n  - path: /a\n    content: 5\n", 5, "content is of the wrong kind"),
    ("write_files:\n  - path: /a\n    permissions: '0999'\n", 5, "permissions '0999' are not"),
    ("write_files:\n  - path: /a\n    permissions: true\n", 5, "permissions is of the wrong"),
    ("write_files:\n  - {path: /a, encoding: gz, content: a}\n", 4, "the content is not gz"),
    ("write_files:\n  - {path: /a, encoding: b64, content: a}\n", 4, "the content is not b64"),
    ("write_files:\n  - a\n", 4, "no mapping with a path"),
    ("write_files: &a\n  - {path: /a}\nruncmd: *a\n", 3, "no aliases"),
    ("runcmd:\n  - !Ref a\n", 4, "function !Ref is not known"),
    ("runcmd:\n", 3, "null"),
    ("runcmd: " + "[" * 100, 3, "nested more than"),
])
def test_the_line_is_said(text: str, line: int, words: str) -> None:
    with pytest.raises(BadConfig, match=words) as error:
        parse(HEAD + text)
    assert error.value.line == line and "\n" not in str(error.value)


def test_a_first_line_with_a_blank_behind_it_is_good() -> None:
    assert parse("#cloud-config \n").runcmd == []


@pytest.mark.parametrize("encoding, data", [
    ("", "text\n"), ("text/plain", "text\n"),
    ("b64", base64.b64encode(b"text\n").decode()), ("base64", base64.b64encode(b"text\n").decode()),
    ("gz+b64", base64.b64encode(gzip.compress(b"text\n", mtime=0)).decode()),
])
def test_encodings(encoding: str, data: str) -> None:
    assert cloudconfig.decode(data, encoding) == b"text\n"


def test_permissions_quoted_and_not() -> None:
    found = config("write_files:", "- {path: /a, permissions: '0750'}",
                   "- {path: /b, permissions: 0640}", "- {path: /c}")
    assert [f.mode for f in found.files] == [0o750, 0o640, 0o644]


def test_a_list_is_quoted_and_a_text_is_the_shells() -> None:
    assert script([["echo", "a b", "it's", 1], "echo a && echo b"]) == \
        "#!/bin/sh\n'echo' 'a b' 'it'\\''s' '1'\necho a && echo b\n"
