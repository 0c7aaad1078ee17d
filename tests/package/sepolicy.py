"""The SELinux module as built from packaging/selinux and linked with Debian's policy, and
questions to it. Nothing is loaded, and this machine's own policy is not read."""
from __future__ import annotations

import bz2
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

MAKEFILE = "/usr/share/selinux/devel/Makefile"
MODULES = Path("/usr/share/selinux/default")
MODULE = "web_node_agent"
POLICY_VERSION = "33"

# As sesearch prints them: allow a_t b_t:class { x y }; [ boolean ]:True
CONDITION = r"(?: \[ (?P<only_if>.*) \]:(?P<state>True|False))?$"
RULE = re.compile(r"allow (?P<source>\S+) (?P<target>\S+):(?P<kind>\S+) "
                  r"(?:\{ (?P<several>[^}]*) \}|(?P<one>[^;]+));" + CONDITION)
TRANSITION = re.compile(r"type_transition \S+ (?P<target>\S+):process "
                        r"(?P<result>[^ ;]+);" + CONDITION)


@dataclass(frozen=True)
class Rule:
    source: str
    target: str
    kind: str
    permissions: frozenset[str]
    only_if: str  # "" or "boolean:True"


def _condition(found: re.Match[str]) -> str:
    return f"{found['only_if']}:{found['state']}" if found["only_if"] else ""


def _rule(line: str) -> Rule:
    found = RULE.match(line)
    assert found, f"a line that is no rule: {line}"
    permissions = frozenset((found["several"] or found["one"]).split())
    return Rule(found["source"], found["target"], found["kind"], permissions, _condition(found))


def said(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, f"{command[0]}: {done.stderr.strip()[-2000:]}"
    return done.stdout


def build(source: Path, copy: Path, *options: str) -> Path:
    """The compiled module, from a copy of its sources, as a package build does it."""
    shutil.copytree(source, copy, dirs_exist_ok=True)
    output = said("make", "-C", str(copy), "-f", MAKEFILE, f"{MODULE}.pp", *options)
    assert "warning" not in output.lower(), output
    return copy / f"{MODULE}.pp"


def unpacked(names: list[str], folder: Path) -> list[Path]:
    """Debian's modules, of which the first one has to be the base."""
    result = []
    for name in names:
        to = folder / f"{name}.pp"
        if not to.exists():
            to.write_bytes(bz2.decompress((MODULES / f"{name}.pp.bz2").read_bytes()))
        result.append(to)
    return result


def expand(modules: list[Path], to: Path) -> subprocess.CompletedProcess[str]:
    """One binary policy; refused if a rule is one that the base promises never to allow."""
    linked = to.with_suffix(".linked")
    said("semodule_link", "-o", str(linked), *map(str, modules))
    done = subprocess.run(["semodule_expand", "-c", POLICY_VERSION, str(linked), str(to)],
                          capture_output=True, text=True, timeout=100, check=False)
    linked.unlink()
    return done


class Policy:
    def __init__(self, file: Path) -> None:
        self._file = str(file)
        self._attributes: dict[str, set[str]] = {}
        self._said: dict[str, list[str]] = {}
        #: Types with their attributes, booleans with their defaults, capabilities of the policy.
        self.inventory = self.info("-x", "-a", "-b", "-t", "--polcap", "--permissive")
        attribute = ""
        for line in self.inventory.splitlines():
            words = line.split()
            if words[:1] == ["attribute"]:
                attribute = words[1].rstrip(";")
                self._attributes[attribute] = set()
            elif attribute and line.startswith("\t"):
                self._attributes[attribute].add(words[0])

    def info(self, *options: str) -> str:
        # The file first: some options take what follows them.
        return said("seinfo", self._file, *options)

    def attributes(self, name: str) -> set[str]:
        """Of a type."""
        return {attribute for attribute, types in self._attributes.items() if name in types}

    def types(self) -> set[str]:
        return set(re.findall(r"^   type (\w+)", self.inventory, re.M))

    def is_in(self, name: str, written: str) -> bool:
        """Whether a type is meant by what stands in a rule: itself, or an attribute of it."""
        return name == written or name in self._attributes.get(written, ())

    def _of(self, domain: str) -> list[str]:
        """All that is said of a domain, its attributes included. A search takes a second."""
        if domain not in self._said:
            self._said[domain] = said("sesearch", "-A", "-T", "-s", domain,
                                      self._file).splitlines()
        return self._said[domain]

    def rules(self, domain: str) -> list[Rule]:
        return [_rule(line) for line in self._of(domain) if line.startswith("allow ")]

    def allows(self, domain: str, target: str, kind: str, permission: str) -> list[Rule]:
        return [rule for rule in self.rules(domain) if rule.kind == kind and
                permission in rule.permissions and self.is_in(target, rule.target)]

    def targets(self, domain: str, permission: str, *kinds: str) -> set[str]:
        """What stands in the rules that give a domain a permission without a condition."""
        return {rule.target for rule in self.rules(domain) if rule.kind in kinds and
                permission in rule.permissions and not rule.only_if}

    def transitions(self, domain: str) -> set[tuple[str, str, str]]:
        """(type of the executable, domain, "" or "boolean:True")."""
        found = [TRANSITION.match(line) for line in self._of(domain)
                 if line.startswith("type_transition ") and ":process " in line]
        assert all(found)
        return {(m["target"], m["result"], _condition(m)) for m in found if m}
