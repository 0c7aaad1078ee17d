"""What the papers name exists, and what they must name they do."""
from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


def test_variables_for_others_are_in_the_manual() -> None:
    """Those of facts.env and those of a hook, in web-node-agent(7)."""
    agent = ROOT / "agent"
    made = set(re.findall(r'"(WNA_[A-Z0-9_]+)"', (agent / "hooks/hooks_environment.c").read_text()))
    names = dict(re.findall(r'\[(FACT_\w+)\] = \{ "([-a-z0-9]+)"', (agent / "base/names.c").read_text()))
    # Notices are texts with blanks, which facts.env has none of.
    notices = set(re.findall(r"id == (FACT_\w+)", (agent / "cloud/cloud_notice.c").read_text()))
    facts = re.findall(r"ROW\((FACT_\w+)\)", (agent / "cloud/cloud_facts.c").read_text())
    assert notices < set(facts)
    made |= {"WNA_" + names[fact].upper().replace("-", "_") for fact in set(facts) - notices}
    manual = (ROOT / "packaging/man/web-node-agent.7").read_text()
    told = set(re.findall(r"\bEv (WNA_[A-Z0-9_]+)", manual))
    assert len(made) > 15 and told - {"WNA_RDS_"} == made


def test_what_hacking_names_exists() -> None:
    text = (ROOT / "HACKING.md").read_text()
    rule = re.search(r"Room prefix and verb \((.*)\)", text)
    assert rule
    headers = "".join(p.read_text() for p in (ROOT / "agent").glob("*/*.h"))
    for name in re.findall(r"`(\w+)`", rule[1]):
        assert f" {name}(" in headers or f"*{name}(" in headers, name
    targets = set(re.findall(r"tests/fuzz/fuzz_(\w+)", text))
    assert targets
    for name in targets:
        assert (ROOT / f"tests/fuzz/{name}.c").exists(), name
        assert (ROOT / f"tests/fuzz/corpus/{name}").is_dir(), name
