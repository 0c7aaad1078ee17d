"""The template with its defaults."""
from __future__ import annotations

import pytest

from reading import Template


@pytest.fixture(scope="session")
def stack() -> Template:
    return Template()
