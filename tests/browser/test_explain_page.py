"""The page of `llmzip explain -o`, by what a browser shows of it."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

import synthetic
from browser.chromium import Page
from llmzip.explain import Column, Explained, Field, Tensor, explain
from llmzip.explain.page import page
from llmzip.explain.results import NOBODY

SAMPLE = Path(__file__).parents[2] / "corpora/samples/us-constitution.txt"
TEXT = SAMPLE.read_bytes()[:30_000]
HOSTILE = "</script><script>document.title='taken'</script><!--<b>&amp;\u2028@data@"
STRANGE = "caf\u00e9\r\n\t\u202eright to left \U0001f600 \x07\x00 <i>no tag</i>\n".encode()


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Explained]:
    found = explain(TEXT, level=4, name="constitution.txt")
    path = tmp_path_factory.mktemp("explain") / "text.html"
    path.write_text(page(found), encoding="utf-8")
    return path, found


def written(folder: Path, found: Explained) -> Path:
    path = folder / "page.html"
    path.write_text(page(found), encoding="utf-8")
    return path


def inside(tab: Page, selector: str) -> str:
    found = tab.evaluate(f"document.querySelector({selector!r}).innerText")
    assert isinstance(found, str)
    return found


def until(tab: Page, condition: str) -> None:
    """Waits for what the page does when it has time."""
    end = time.monotonic() + 10
    while not tab.evaluate(condition):
        assert time.monotonic() < end, condition
        time.sleep(0.02)


def test_large_content_loads_fast_and_asks_nobody(tab: Page, tmp_path: Path) -> None:
    content = (SAMPLE.read_bytes() * 4)[:100_000]
    path = written(tmp_path, explain(content, level=3, name="large"))
    assert path.stat().st_size < 5_000_000
    times = [tab.open(path) for _ in range(3)]
    assert min(times) < 3.0
    assert tab.errors == [] and set(tab.requests) == {path.as_uri()}
    # All of it is there, but only what is near has colours.
    tab.evaluate("document.getElementById('content').scrollIntoView()")
    until(tab, "document.querySelectorAll('#content span').length > 0")
    shown = tab.evaluate("document.getElementById('content').textContent")
    assert shown.replace("\u21b5", "") == content.decode()
    assert 0 < tab.evaluate("document.querySelectorAll('#content span').length") < 50_000


def test_summary(tab: Page, text: tuple[Path, Explained]) -> None:
    path, found = text
    tab.open(path)
    assert inside(tab, "#headline") == "constitution.txt"
    lead = inside(tab, "#lead")
    assert f"{found.bits:,.0f} bits" in lead and f"{found.bits_per_byte:.3f} bits per byte" in lead
    rows = "[...document.querySelectorAll('#shares tbody tr')].map(r => r.children[0].innerText)"
    assert tab.evaluate(rows) == [share.name for share in found.shares()]
    bars = (
        "[...document.querySelectorAll('#histogram tbody td:nth-child(2)')].map(c => c.innerText)"
    )
    counts = [int(cell.replace(",", "")) for cell in tab.evaluate(bars)]
    assert counts == [bar.units for bar in found.histogram() if bar.units]
    assert tab.evaluate("document.querySelector('#along .line').getAttribute('d')").count(
        "H"
    ) == len(found.curve())
    for empty in ("columns", "fields", "tensors"):
        assert tab.evaluate(f"document.getElementById('{empty}-section').hidden")


def test_colours_follow_the_cost(tab: Page, text: tuple[Path, Explained]) -> None:
    path, found = text
    tab.open(path)
    assert found.units is not None
    tab.evaluate("document.getElementById('content').scrollIntoView()")
    until(tab, "document.querySelectorAll('#content .block')[0].children.length === 2048")
    classes = tab.evaluate(
        "[...document.querySelectorAll('#content .block')[0].children].map(s => s.className)"
    )
    bounds = (0.05, 0.25, 0.75, 1.5, 3.0, 5.0, 8.0)
    for cost, name in zip(found.units.costs, classes, strict=False):
        near = {sum(cost + off >= bound for bound in bounds) for off in (-0.002, 0.002)}
        assert int(name.strip("c") or 0) in near
    colours = tab.evaluate(
        "[0, 3, 5, 7].map(n => document.querySelector('#legend .c' + n))"
        ".map(node => getComputedStyle(node).backgroundColor)"
    )
    assert len(set(colours)) == 4


def test_hover_and_keys_tell_of_a_byte(tab: Page, text: tuple[Path, Explained]) -> None:
    path, found = text
    units = found.units
    assert units is not None
    tab.viewport(1000, 900)
    tab.open(path)
    tab.evaluate("document.getElementById('content').scrollIntoView()")
    span = "document.querySelectorAll('#content .block')[0].children[5]"
    until(tab, f"!!{span}")
    at = tab.evaluate(
        f"(r => [r.left + r.width / 2, r.top + r.height / 2])({span}.getBoundingClientRect())"
    )
    tab.evaluate("scrollBy(0, -300)")
    tab.move(at[0], at[1] + 300)
    told = inside(tab, "#told")
    assert f"at byte 5, {units.content[5]:02x}: {units.costs[5]:.2f} bits" in told
    assert units.carriers is not None
    carrier = units.carriers[5]
    by = "predicted by nothing" if carrier == NOBODY else f"most by {units.names[carrier]}"
    assert by in told
    own = tab.evaluate("document.querySelectorAll('#told li.own').length")
    assert own == 1 and told.count("%") >= 5
    tab.move(1, 1)
    tab.evaluate("document.getElementById('content').focus({preventScroll: true})")
    for key, byte in (("Home", 0), ("ArrowRight", 1), ("ArrowRight", 2), ("ArrowLeft", 1)):
        tab.press(key)
        assert f"at byte {byte}," in inside(tab, "#told")
    # The second line of the sample is empty: from its end up is the first byte.
    below = TEXT.index(b"\n") + 1
    assert TEXT[below] == ord("\n")
    for key, byte in (("ArrowDown", below), ("ArrowDown", below + 1), ("ArrowUp", below)):
        tab.press(key)
        assert f"at byte {byte}," in inside(tab, "#told")
    tab.press("ArrowUp")
    assert "at byte 0," in inside(tab, "#told")
    tab.press("n")
    first = min(place.offset for place in found.places() if place.offset > 0)
    assert f"at byte {first:,}," in inside(tab, "#told")
    tab.press("End")
    assert f"at byte {len(TEXT) - 1:,}," in inside(tab, "#told")
    # Scrolling stops at whole pixels.
    seen = "(r => r.top >= -1 && r.bottom <= innerHeight + 1)"
    until(tab, f"{seen}(document.querySelector('.on').getBoundingClientRect())")


def test_places_lead_to_the_content(tab: Page, text: tuple[Path, Explained]) -> None:
    path, found = text
    tab.open(path)
    place = found.places()[0]
    assert tab.evaluate("document.querySelectorAll('#places li').length") == len(found.places())
    tab.click("#places li:first-child button")
    assert f"at byte {place.offset:,}," in inside(tab, "#told")
    assert tab.evaluate("document.activeElement.id") == "content"


@pytest.mark.parametrize("width", [360, 1200])
def test_no_page_scrolls_sideways(tab: Page, tmp_path: Path, width: int) -> None:
    tab.viewport(width, 800, mobile=width < 500)
    for content, name in ((b"x" * 3000 + STRANGE, "long"), (bytes(range(256)) * 9, "binary")):
        path = written(tmp_path, explain(content, predictor="cm", level=3, name=name))
        tab.open(path)
        assert tab.errors == []
        assert tab.evaluate("document.documentElement.scrollWidth") <= width
        assert tab.evaluate("document.getElementById('content').classList.contains('hex')") == (
            name == "binary"
        )


def test_binary_content_is_in_hexadecimal_digits(tab: Page, tmp_path: Path) -> None:
    content = bytes(range(256)) * 8
    path = written(tmp_path, explain(content, predictor="cm", level=3, begin=100))
    tab.open(path)
    first = inside(tab, "#content").splitlines()[0]
    assert first.startswith("00000064  64 65 66") and first.endswith("defghijklmnopqrs")
    until(tab, "document.querySelectorAll('#content span').length > 100")
    tab.evaluate("document.getElementById('content').focus()")
    for key, byte in (("Home", 100), ("ArrowDown", 116), ("ArrowRight", 117), ("ArrowUp", 101)):
        tab.press(key)
        assert f"at byte {byte}, {byte:02x}:" in inside(tab, "#told")


def test_tokens(tab: Page, tmp_path: Path) -> None:
    pack = tmp_path / "tiny.lzpack"
    pack.write_bytes(synthetic.pack(tmp_path / "tiny.gguf"))
    content = (synthetic.TEXT + " \xe9\n").encode() * 8
    found = explain(content, model=str(pack))
    units = found.units
    assert units is not None and units.lengths is not None
    tab.open(written(tmp_path, found))
    assert tab.errors == []
    until(tab, "document.querySelectorAll('#content span').length > 0")
    assert tab.evaluate("document.querySelectorAll('#content span').length") == len(units.costs)
    tab.evaluate("document.getElementById('content').focus()")
    tab.press("Home")
    tab.press("ArrowRight")
    told = inside(tab, "#told")
    assert f"at byte {units.lengths[0]}" in told and f"{units.costs[1]:.2f} bits" in told
    assert tab.evaluate("document.querySelectorAll('#told li').length") in (5, 6)


def test_content_and_names_are_text(tab: Page, tmp_path: Path) -> None:
    content = (HOSTILE.encode() + STRANGE) * 5
    found = explain(content, level=3, name=HOSTILE)
    columns = (Column(HOSTILE, 100.0), Column("b", 10.0))
    path = written(tmp_path, found.replace(columns=columns, columns_by="pc", rows=3))
    tab.open(path)
    assert tab.errors == []
    assert tab.evaluate("document.title") == f"{HOSTILE}: where the bits go"
    name = "document.querySelector('#columns tbody th').textContent"
    assert tab.evaluate(name) == HOSTILE
    shown = tab.evaluate("document.getElementById('content').textContent")
    assert "<i>no tag</i>" in shown and "caf\u00e9\\r" in shown
    # Nothing turns the text around, and nothing is unseen.
    assert "\\u202e" in shown and "\u202e" not in shown and "\\x07\\x00" in shown
    assert tab.evaluate("document.querySelectorAll('#content i, #content b').length") == 0


def test_tensors_have_no_content(tab: Page, tmp_path: Path) -> None:
    fields = (Field("exponent", 300), Field("sign, mantissa", 900))
    tensors = (
        Tensor(HOSTILE, "bf16", (30, 20), 1200, 1250, "tensor", fields),
        Tensor("zeros", "f32", (10,), 40, 12, "constant"),
    )
    found = Explained("m", 2000, 0, 0, "tensor -6", None, tensors=tensors, coded_bytes=1262)
    tab.open(written(tmp_path, found))
    assert tab.errors == []
    for section in ("content-section", "along-section", "sums", "places-section"):
        assert tab.evaluate(f"document.getElementById('{section}').hidden"), section
    cells = "r.children[0].innerText + r.children[1].innerText"
    rows = f"[...document.querySelectorAll('#fields tbody tr')].map(r => {cells})"
    assert tab.evaluate(rows) == [
        "bf16: exponent300",
        "bf16: sign, mantissa900",
        "heads, tables, stored62",
    ]
    assert inside(tab, "#tensors tbody tr:last-child").split()[:2] == ["zeros", "f32"]


def test_empty_content(tab: Page, tmp_path: Path) -> None:
    tab.open(written(tmp_path, explain(b"")))
    assert tab.errors == [] and "Empty" in inside(tab, "#lead")


def test_light_and_dark(tab: Page, text: tuple[Path, Explained]) -> None:
    tab.viewport(800, 600)
    tab.open(text[0])
    tab.evaluate("document.getElementById('content').scrollIntoView()")
    until(tab, "document.querySelectorAll('#content span').length > 1000")
    light = tab.picture().colours()
    tab.scheme("dark")
    dark = tab.picture().colours()
    assert min(light.most_common(1)[0][0]) > 200 and max(dark.most_common(1)[0][0]) < 64
    assert len(light) > 20 and any(min(one) > 200 for one in dark)


def test_what_a_reader_hears_has_names(tab: Page, text: tuple[Path, Explained]) -> None:
    tab.open(text[0])
    tree = tab.call("Accessibility.getFullAXTree")["nodes"]
    for node in tree:
        role = node.get("role", {}).get("value")
        if not node["ignored"] and role in ("button", "image", "region", "group", "table"):
            assert node.get("name", {}).get("value"), node
