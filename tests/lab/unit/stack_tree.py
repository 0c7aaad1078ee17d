"""The project's template, for tests that change it."""
from __future__ import annotations

from pathlib import Path

from lab.model import model
from lab.model.own_parameters import ADMIN, CHOSEN, PINNED
from lab.template import interpreter as template

PATH = Path(__file__).parents[3] / "userdata" / "stack.yaml"
# Values of the parameters without a default, and those by which the lab switches parts on.
GIVEN = {**{name: value for name, (value, _) in CHOSEN.items()}, **PINNED, "KeyName": "lab",
         "RepositoryUrl": "https://repository.example/agent", "RepositoryBucket": "repository",
         "AdminCidr": f"{ADMIN}/32"}


def tree() -> template.Tree:
    return template.load_tree(PATH)


def build(changed: template.Tree, **parameters: str) -> model.Model:
    return model.build(template.interpret(changed, {**GIVEN, **parameters}))
