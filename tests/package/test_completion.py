"""bash completion of wnactl, by the real bash-completion: what is offered, and that nothing a fact
is called is ever run."""
from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

FILE = Path(__file__).resolve().parents[2] / "packaging/bash-completion/wnactl"
SCRIPT = """
. /usr/share/bash-completion/bash_completion
. "$1"
shift
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
COMP_LINE=${LINE:-$*}
COMP_POINT=${#COMP_LINE}
_wnactl
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture
def facts(tmp_path: Path) -> Path:
    """The file whose lines a stand-in for wnactl prints, which is alone in bin/."""
    command = tmp_path / "bin/wnactl"
    command.parent.mkdir()
    command.write_text(f"#!/bin/sh\n[ $1 = facts ] && cat {tmp_path}/facts\n")
    command.chmod(0o755)
    names = tmp_path / "facts"
    names.write_text("instance-id   i-0123\nregion        ap-northeast-2\ntags.aws:autoscaling:groupName  web\n")
    return names


def complete(facts: Path, *words: str, line: str = "") -> list[str]:
    """`words` as bash takes them apart; `line`: where blanks are not all that is between them."""
    done = subprocess.run(
        ["bash", "--norc", "-c", SCRIPT, "-", str(FILE), "wnactl", *words], text=True, timeout=30,
        check=False, capture_output=True, cwd=facts.parent,
        env={"PATH": f"{facts.parent}/bin:/usr/bin:/bin", "HOME": str(facts.parent),
                          **({"LINE": line} if line else {})})
    assert done.returncode == 0 and not done.stderr, done.stderr
    return sorted(word for word in done.stdout.splitlines() if word)


def test_commands_and_options(facts: Path) -> None:
    assert complete(facts, "") == sorted(
        ["status", "mount", "history", "facts", "wait", "database", "check", "config", "load", "drain",
         "undrain", "iam-policy", "--socket", "--run", "--help", "--version"])
    assert complete(facts, "st") == ["status"]
    assert complete(facts, "wait", "--for", "m") == ["metrics", "mounted"]
    assert complete(facts, "--socket", "/x", "status", "--v") == ["--verbose"]
    assert complete(facts, "config", "--") == ["--keys", "--roff"]
    assert complete(facts, "database", "") == ["connections"]
    assert complete(facts, "mount", "") == ["repair"]
    assert complete(facts, "load", "--") == ["--apply"]
    assert complete(facts, "config", "fac") == complete(facts, "check", "fac") == ["facts"]


def test_facts(facts: Path) -> None:
    assert complete(facts, "facts", "") == ["--env", "--json", "instance-id", "region",
                                            "tags.aws:autoscaling:groupName"]
    assert complete(facts, "facts", "i") == ["instance-id"]
    assert complete(facts, "facts", "--j") == ["--json"]
    # bash takes words apart at a colon, and replaces only the last piece.
    assert complete(facts, "facts", "tags.aws", ":", "auto",
                    line="wnactl facts tags.aws:auto") == ["autoscaling:groupName"]
    facts.unlink()
    assert complete(facts, "facts", "") == ["--env", "--json"]


@pytest.mark.parametrize("name", [
    "$(touch${IFS}ran)", "`touch${IFS}ran`", "a$(touch${IFS}ran)", ";touch${IFS}ran", "a|b", "-rf",
    "a\\$(x)", "*", "~root", "a'b", 'a"b', "\x1b[2J"])
def test_no_name_is_run_or_offered_that_a_shell_would_take_for_more(facts: Path, name: str) -> None:
    facts.write_text(f"{name}  value\nregion  ap-northeast-2\n")
    assert complete(facts, "facts", "") == ["--env", "--json", "region"]
    assert not (facts.parent / "ran").exists()
