"""`llmzip explain`: a summary, a page, JSON; and what is refused."""

from __future__ import annotations

import json
import re
from pathlib import Path
from random import Random

import pytest

import synthetic

from .conftest import Shell

SAMPLE = Path(__file__).parents[2] / "corpora/samples/us-constitution.txt"
TEXT = SAMPLE.read_bytes()[:9000]


def test_a_summary_a_page_and_json(llmzip: Shell) -> None:
    llmzip.write("a.txt", TEXT)
    shown = llmzip("explain", "-4", "a.txt", "-o", "a.html").stdout.decode()
    assert "9,000 bytes from 0: " in shown and "bits/byte, by cm -4" in shown
    assert "the costliest places" in shown and "order 2" in shown
    page = (llmzip.folder / "a.html").read_text()
    assert page.startswith("<!doctype html>") and "a.txt: where the bits go" in page
    found = json.loads(llmzip("explain", "--json", "-4", "a.txt").stdout)
    assert found["ok"] and found["file"] == "a.txt" and len(found["costs"]) == 9000
    said = re.search(r"([\d,]+) bits, ", shown)
    assert said and abs(int(said[1].replace(",", "")) - found["bits"]) <= 1
    # What an archive takes beside that is the container.
    llmzip("-4", "-p", "cm", "a.txt")
    size = (llmzip.folder / "a.txt.llmz").stat().st_size
    assert 0 < size - found["bits"] / 8 < 300


def test_a_part_of_a_file(llmzip: Shell) -> None:
    llmzip.write("a.txt", TEXT * 2)
    command = ["explain", "--json", "-3", "a.txt"]
    part = json.loads(llmzip(*command, "--from", "9000", "--bytes", "1K").stdout)
    assert (part["begin"], part["length"], part["size"]) == (9000, 1024, 18_000)
    # It was learnt before.
    assert part["bits_per_byte"] < 0.5
    assert "behind the end" in llmzip.fails("explain", "a.txt", "--from", "18000", code=2)
    whole = llmzip("explain", "-3", "a.txt", "--bytes", "100").stdout.decode()
    assert "Of 18,000 bytes those from 0 to 100 are told" in whole


def test_pages_are_not_overwritten_and_go_to_pipes(llmzip: Shell) -> None:
    llmzip.write("a.txt", TEXT[:300])
    llmzip.write("a.html", b"mine")
    assert "-f overwrites" in llmzip.fails("explain", "a.txt", "-o", "a.html")
    assert (llmzip.folder / "a.html").read_bytes() == b"mine"
    llmzip("explain", "a.txt", "-o", "a.html", "-f")
    page = llmzip("explain", "a.txt", "-o", "-").stdout
    assert page == (llmzip.folder / "a.html").read_bytes()
    assert llmzip("explain", "-", "-o", "-", stdin=TEXT[:300]).stdout.startswith(b"<!doctype")
    assert llmzip.fails("explain", "a.txt", "-o", "a.txt", "-f")
    assert (llmzip.folder / "a.txt").read_bytes() == TEXT[:300]
    assert llmzip.names() == ["a.html", "a.txt"]


def test_one_bad_file_does_not_stop_the_rest(llmzip: Shell) -> None:
    llmzip.write("a.txt", TEXT[:300])
    llmzip.write("b.txt", TEXT[300:600])
    llmzip.write("empty", b"")
    llmzip.write("bad.llmz", b"\xf6LLMZ\r\n\x1a\n" + b"x" * 99)
    (llmzip.folder / "folder").mkdir()
    done = llmzip("explain", "a.txt", "none", "folder", "bad.llmz", "empty", "b.txt", code=1)
    errors = done.stderr.decode().splitlines()
    assert [line.split(":")[1].strip() for line in errors][:2] == ["none", "folder"]
    for name in (b"a.txt", b"b.txt", b"empty"):
        assert name in done.stdout
    assert "cm, pc or tensor" in llmzip.fails("explain", "-p", "zstd", "a.txt", code=2)
    assert "level 1" in llmzip.fails("explain", "-1", "a.txt", code=2)
    assert "one file" in llmzip.fails("explain", "a.txt", "b.txt", "-o", "c.html", code=2)
    assert "no such model" in llmzip.fails("explain", "-m", "no such model", "a.txt", code=3)


def test_tokens_by_a_model(llmzip: Shell) -> None:
    llmzip.write("tiny.lzpack", synthetic.pack(llmzip.folder / "tiny.gguf"))
    llmzip.write("notes", (synthetic.TEXT + ".\n").encode() * 9)
    shown = llmzip("explain", "-m", "tiny.lzpack", "notes", "-o", "notes.html").stdout.decode()
    assert "tokens, " in shown and "by tiny, alone" in shown
    assert '"unit": "token"' in (llmzip.folder / "notes.html").read_text()


def test_columns_of_a_table(llmzip: Shell) -> None:
    random = Random(1)
    rows = "".join(f"{n % 7},{'ab'[n % 2]},{random.randrange(10_000)}\n" for n in range(3000))
    llmzip.write("t.csv", ("group,kind,noise\n" + rows).encode())
    shown = llmzip("explain", "t.csv", "--bytes", "100").stdout.decode()
    columns = shown.split("columns, by pc -6")[1].splitlines()
    assert columns[2].split()[0] == "noise"
    found = json.loads(llmzip("explain", "--json", "t.csv", "--bytes", "100").stdout)
    assert [c["name"] for c in found["columns"] if c["is_cell"]] == ["group", "kind", "noise"]


@pytest.mark.parametrize("packed", [False, True])
def test_tensors_by_field(llmzip: Shell, packed: bool) -> None:
    np = pytest.importorskip("numpy")
    from llmzip.tensors.numpy import save_file

    weights = np.random.default_rng(1).normal(0, 0.02, (100, 300)).astype(np.float32)
    save_file({"layer.weight": weights}, llmzip.folder / "m.safetensors.llmz")
    name = "m.safetensors.llmz"
    if not packed:
        llmzip("-d", name)
        name = "m.safetensors"
    shown = llmzip("explain", name, "-o", "m.html").stdout.decode()
    assert "1 tensors" in shown and "f32: exponent" in shown and "layer.weight" in shown
    found = json.loads(llmzip("explain", "--json", name).stdout)
    assert found["tensors"][0]["fields"][0]["name"] == "exponent"
    assert "layer.weight" in (llmzip.folder / "m.html").read_text()
