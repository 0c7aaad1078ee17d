#!/usr/bin/env python3
"""schema.py SCHEMA FILE...: each line of standard input, and each file, is an answer of the schema.

No library: of JSON Schema the keywords that status.schema.json uses; any other is an error. A member that
the schema does not have is one too: its author has to document it."""
from __future__ import annotations

import json
import re
import sys
from typing import Any

TYPES = {"object": dict, "array": list, "string": str, "integer": int}
IGNORED = {"$schema", "$defs", "title", "description"}


def check(value: Any, schema: dict[str, Any], root: dict[str, Any], at: str) -> list[str]:
    found: list[str] = []
    for key, wanted in schema.items():
        if key == "$ref":
            found += check(value, root["$defs"][wanted.removeprefix("#/$defs/")], root, at)
        elif key == "const":
            found += [] if value == wanted else [f"{at}: {value!r} is not {wanted!r}"]
        elif key == "enum":
            found += [] if value in wanted else [f"{at}: {value!r} is not one of {wanted}"]
        elif key == "type":
            good = isinstance(value, TYPES[wanted]) and not isinstance(value, bool)
            found += [] if good else [f"{at}: {value!r} is no {wanted}"]
        elif key == "pattern":
            found += [] if re.search(wanted, value) else [f"{at}: {value!r} is not like {wanted}"]
        elif key == "required":
            found += [f"{at}.{name} is missing" for name in wanted if name not in value]
        elif key == "properties":
            known = {**wanted, **dict.fromkeys(value if "additionalProperties" in schema else ())}
            found += [f"{at}.{name} is not in the schema" for name in value if name not in known]
            for name in wanted.keys() & value.keys():
                found += check(value[name], wanted[name], root, f"{at}.{name}")
        elif key == "additionalProperties":
            for name in value.keys() - schema.get("properties", {}).keys():
                found += check(value[name], wanted, root, f"{at}.{name}")
        elif key == "items":
            for i, item in enumerate(value):
                found += check(item, wanted, root, f"{at}[{i}]")
        elif key not in IGNORED:
            raise SystemExit(f"{at}: keyword {key} is not known here")
    return found


def main() -> None:
    with open(sys.argv[1], encoding="utf-8") as file:
        schema = json.load(file)
    answers = {f"line {i}": text for i, text in enumerate(sys.stdin, 1)}
    assert answers, "no answers"
    for name in sys.argv[2:]:
        with open(name, encoding="utf-8") as file:
            answers[name] = file.read()
    found = [f"{name}: {what}" for name, text in answers.items()
             for what in check(json.loads(text), schema, schema, "$")]
    # The checker can fail.
    broken = {**json.loads(answers["line 1"]), "schema": 2, "new": 1}
    assert len(check(broken, schema, schema, "$")) == 2
    sys.exit("\n".join(found) or 0)


if __name__ == "__main__":
    main()
