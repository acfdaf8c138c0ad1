"""A browser for the tests here; where there is none they are skipped, and say so."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from browser import chromium


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[chromium.Browser]:
    if chromium.program() is None:
        pytest.skip("no Chromium here: apt-get install chromium")
    with chromium.Browser(tmp_path_factory.mktemp("profile")) as started:
        yield started


@pytest.fixture
def tab(browser: chromium.Browser) -> Iterator[chromium.Page]:
    """A new tab, 1,200 pixels wide and light."""
    page = browser.page()
    page.viewport(1200, 900)
    page.scheme("light")
    yield page
    page.call("Page.close")
