"""The page in a real browser: in each state, light and dark, narrow and wide, axe has no finding
and the browser no complaint; it refreshes itself with and without JavaScript."""
from __future__ import annotations

import os
import re
import subprocess
import urllib.request
from pathlib import Path
from typing import Any, Iterator

import pytest
from browser import Browser

SERVE, AXE, PICTURES = (Path(os.environ[name]) for name in ("WNA_SERVE", "WNA_AXE", "WNA_PICTURES"))
STATES = {"ok": "In service", "degraded": "In service, degraded", "fail": "Out of service"}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    made = Browser("chromium-headless-shell")
    yield made
    made.close()


@pytest.fixture(params=STATES)
def state(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def url(state: str) -> Iterator[str]:
    with subprocess.Popen([str(SERVE), state], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, text=True) as server:
        assert server.stdin and server.stdout
        yield f"http://127.0.0.1:{server.stdout.readline().strip()}/"
        server.stdin.close()
        assert server.wait(10) == 0


def findings(browser: Browser) -> list[str]:
    browser.run(AXE.read_text())
    found: list[Any] = browser.run("axe.run().then(all => all.violations)")
    return [f"{one['id']}: {node['html']}: {node['failureSummary']}"
            for one in found for node in one["nodes"]]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1100])
def test_it_can_be_read(browser: Browser, url: str, state: str, scheme: str, width: int) -> None:
    browser.complaints.clear()
    browser.show(url, width, 980 if width > 500 else 900, scheme)
    assert browser.run("document.querySelector('h1').textContent") == STATES[state]
    browser.picture(PICTURES / f"page-{state}-{scheme}-{width}.png")
    assert browser.run("document.documentElement.scrollWidth") <= width, "nothing to scroll aside"
    assert browser.run("getComputedStyle(document.body).maxWidth") != "none", "it has its style"
    assert findings(browser) == []
    assert all("status of 503" in one for one in browser.complaints) and (
        state == "fail" or not browser.complaints)


@pytest.mark.parametrize("state", ["ok"])
def test_axe_can_find(browser: Browser, url: str) -> None:
    browser.show(url, 1100, 800, "light")
    browser.run("document.querySelector('h1').style.color = '#eeeeee'")
    assert any(one.startswith("color-contrast") for one in findings(browser))


@pytest.mark.parametrize("state", ["ok"])
def test_keyboard(browser: Browser, url: str) -> None:
    """Tab reaches all, in the order of the page, and shows where it is; Enter pauses."""
    browser.show(url, 1100, 800, "light")
    seen = []
    for _ in range(5):
        browser.press("Tab", 9)
        seen.append(browser.run("document.activeElement.textContent"))
        assert browser.run("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    assert seen == ["Pause", "all as JSON", "metrics for Prometheus", "/healthz", "/readyz"]
    browser.run("document.getElementById('pause').focus()")
    browser.press("Enter", 13)
    assert browser.run("document.activeElement.textContent") == "Resume"


CHANGED = """new Promise(done => new MutationObserver(() => done(document.title)).observe(
    document.body, {childList: true, subtree: true, attributes: true}))"""


@pytest.mark.parametrize("state", ["ok", "fail"])
def test_it_refreshes_itself(browser: Browser, url: str, state: str) -> None:
    browser.show(url, 1100, 800, "light")
    browser.run("document.querySelector('main').textContent = 'old'")
    assert browser.run(CHANGED).startswith(STATES[state] + " - i-0")
    assert "old" not in browser.run("document.querySelector('main').textContent")
    # Then the agent does not answer any more.
    browser.run("window.fetch = () => Promise.reject()")
    browser.run(CHANGED)
    assert browser.run("document.getElementById('late').textContent").startswith("No answer")


@pytest.mark.parametrize("state", ["ok"])
def test_without_javascript(browser: Browser, url: str) -> None:
    browser.show(url, 1100, 800, "light", script=False)
    browser.wait_load()  # a second time, by itself
    browser.call("Emulation.setScriptExecutionDisabled", value=False)
    assert browser.run("document.getElementById('pause').hidden")


@pytest.mark.parametrize("state", ["ok"])
def test_only_its_own_script_runs(browser: Browser, url: str) -> None:
    browser.complaints.clear()
    browser.show(url, 1100, 800, "light")
    browser.run("""{const s = document.createElement('script'); s.textContent = 'window.bad = 1';
        document.body.append(s)}""")
    assert browser.run("window.bad") is None
    assert any("Content Security Policy" in one for one in browser.complaints)
    with urllib.request.urlopen(url) as answer:
        assert not re.search(r"(src|href)=\"(?!/|data:,)", answer.read().decode())
