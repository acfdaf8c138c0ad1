"""Tables: chosen by content; circuits that are trained, named and carried; rows read alone."""

from __future__ import annotations

import json
import struct

import pytest

from llmzip.table import read_rows


def table(rows: int, seed: int = 1) -> bytes:
    """Columns that depend on each other, a number and a date, with a header."""
    state, lines = seed, ["city,country,code,amount,day"]
    cities = [("Bern", "CH"), ("Basel", "CH"), ("Graz", "AT"), ("Wien", "AT"), ("Ulm", "DE")]
    for row in range(rows):
        state = state * 6364136223846793005 + 1442695040888963407 & (1 << 64) - 1
        city, country = cities[(state >> 40) % 7 % 5]
        code = country.lower() + str((state >> 50) % 3)
        day = f"2026-{1 + row // 28 % 12:02}-{1 + row % 28:02}"
        lines.append(f"{city},{country},{code},{(state >> 20) % 5000},{day}")
    return "".join(line + "\n" for line in lines).encode()


@pytest.fixture
def circuit(llmzip):
    """A folder with a table, `t.csv`, and a circuit trained on another one, `c.pc`."""
    (llmzip.folder / "train.csv").write_bytes(table(2000))
    (llmzip.folder / "t.csv").write_bytes(table(12000, seed=5))
    llmzip("train", "train.csv", "-o", "c.pc", "--states", "4", "--passes", "2", "-q")
    return llmzip


def test_a_table_is_coded_as_one(llmzip) -> None:
    data = table(4000)
    (llmzip.folder / "t.csv").write_bytes(data)
    llmzip("t.csv")
    assert b"pc 1" in llmzip("list", "-v", "t.csv.llmz").stdout
    llmzip("-p", "cm", "-o", "plain.llmz", "t.csv")
    small, plain = ((llmzip.folder / name).stat().st_size for name in ("t.csv.llmz", "plain.llmz"))
    assert small < plain
    assert llmzip("-d", "-c", "t.csv.llmz").stdout == data
    (llmzip.folder / "words.txt").write_bytes(b"no table, but words of a text.\n" * 400)
    llmzip("words.txt")
    assert b"pc 1" not in llmzip("list", "-v", "words.txt.llmz").stdout


def array(descr: str, rows: int, cells: int, data: bytes) -> bytes:
    """A file of NumPy's."""
    text = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': ({rows}, {cells}), }}"
    return b"\x93NUMPY\x01\0\x76\0" + text.ljust(117).encode() + b"\n" + data


def categories(rows: int, size: int) -> bytes:
    """Rows of three small numbers of `size` bytes that depend on each other."""
    state, out = 9, bytearray()
    for _ in range(rows):
        state = state * 6364136223846793005 + 1442695040888963407 & (1 << 64) - 1
        kind = (state >> 40) % 11
        for number in (kind, kind * 7 % 5 - 2, (kind + (state >> 50) % 3) % 13):
            out += number.to_bytes(size, "little", signed=True)
    return bytes(out)


def test_whole_numbers_of_an_array_are_a_table_where_that_is_smaller(llmzip) -> None:
    for size, descr in ((1, "|i1"), (8, "<i8")):
        data = array(descr, 6000, 3, categories(6000, size))
        (llmzip.folder / "t.npy").write_bytes(data)
        llmzip("-f", "t.npy")
        assert b"pc 1" in llmzip("list", "-v", "t.npy.llmz").stdout
        assert llmzip("-d", "-c", "t.npy.llmz").stdout == data
        small = (llmzip.folder / "t.npy.llmz").stat().st_size
        for other in ("tensor", "cm"):
            llmzip("-f", "-p", other, "-o", "other.llmz", "t.npy")
            assert small < (llmzip.folder / "other.llmz").stat().st_size, other
        # From a pipe the header tells.
        piped = llmzip("-c", stdin=data).stdout
        assert llmzip("-d", "-c", stdin=piped).stdout == data and len(piped) < small * 1.05
    floats = struct.pack("<9000f", *(n % 7 / 3 for n in range(9000)))
    (llmzip.folder / "f.npy").write_bytes(array("<f4", 3000, 3, floats))
    llmzip("f.npy")
    assert b"pc 1" not in llmzip("list", "-v", "f.npy.llmz").stdout


def test_a_circuit_predicts_and_is_needed(circuit) -> None:
    data = (circuit.folder / "t.csv").read_bytes()
    said = json.loads(circuit("--json", "-m", "c.pc", "t.csv").stdout)
    size, own = ((circuit.folder / name).stat().st_size for name in ("t.csv.llmz", "c.pc"))
    assert (said["model_bytes"], said["adjusted_bytes"]) == (own, size + own)
    shown = circuit("list", "t.csv.llmz").stdout.decode()
    assert f"adjusted    {len(data):,} bytes in {size + own:,}" in shown
    told = json.loads(circuit("rows", "--json", "-m", "c.pc", "t.csv.llmz", ":9", "-o", "r").stdout)
    assert told["rows"] == 9
    assert "needs the model 'c'" in circuit.fails("-d", "-c", "t.csv.llmz", code=3)
    assert circuit("-d", "-c", "-m", "c.pc", "t.csv.llmz").stdout == data
    store = {"LLMZIP_MODELS": str(circuit.folder / "store")}
    circuit("models", "import", "c.pc", "--name", "rows", env=store)
    assert circuit("-d", "-c", "t.csv.llmz", env=store).stdout == data
    assert b"4 states" in circuit("models", "show", "rows", env=store).stdout
    circuit("-m", "rows", "--embed-model", "-o", "own.llmz", "t.csv", env=store)
    circuit("models", "remove", "rows", env=store)
    assert b"adjusted" not in circuit("list", "own.llmz").stdout
    assert circuit("-d", "-c", "own.llmz").stdout == data
    # With another circuit nothing is decoded.
    circuit("train", "train.csv", "-o", "d.pc", "--states", "8", "--passes", "1", "-q")
    assert "is another one" in circuit.fails("-d", "-c", "-m", "d.pc", "t.csv.llmz", code=3)


def test_what_a_circuit_is_no_use_for_is_coded_otherwise(circuit) -> None:
    text = b"A text without columns; the circuit has nothing to say of it, and is not needed.\n"
    text = b"".join(text.replace(b"has", b"%d" % n) for n in range(300))
    (circuit.folder / "a.txt").write_bytes(text)
    circuit("-m", "c.pc", "a.txt")
    assert circuit("-d", "-c", "a.txt.llmz").stdout == text
    circuit("-p", "circuit", "-m", "c.pc", "-o", "forced.llmz", "a.txt")
    assert circuit("-d", "-c", "-m", "c.pc", "forced.llmz").stdout == text


def test_rows_are_read_alone(circuit) -> None:
    lines = (circuit.folder / "t.csv").read_bytes().splitlines(keepends=True)
    circuit("-m", "c.pc", "t.csv")
    circuit("-o", "online.llmz", "t.csv")
    circuit("-1", "-o", "zstd.llmz", "t.csv")
    for archive in ("t.csv.llmz", "online.llmz", "zstd.llmz"):
        words = ("rows", "-m", "c.pc", archive)
        assert circuit(*words, "5000:5003").stdout == b"".join(lines[5000:5003])
        assert circuit(*words, "0").stdout == lines[0]
        assert circuit(*words, "11990:").stdout == b"".join(lines[11990:])
        assert circuit(*words, "99999:").stdout == b""
        path = circuit.folder / archive
        assert read_rows(path, 3, 5, model=str(circuit.folder / "c.pc")) == lines[3:5]
    for wrong in ("x", "3:1", ":", "-4", "1:2:3"):
        circuit.fails("rows", "online.llmz", "--", wrong, code=2)
    circuit("rows", "online.llmz", ":2", "-o", "two.csv")
    assert (circuit.folder / "two.csv").read_bytes() == b"".join(lines[:2])


def disks(count: int, side: int, seed: int) -> bytes:
    """An idx file of images of a blurred disk each, at any place."""
    state, pixels = seed, bytearray()
    for _ in range(count):
        state = state * 6364136223846793005 + 1442695040888963407 & (1 << 64) - 1
        left, top = (state >> 40) % side, (state >> 50) % side
        for place in range(side * side):
            away = (place % side - left) ** 2 + (place // side - top) ** 2
            state = state * 6364136223846793005 + 1442695040888963407 & (1 << 64) - 1
            pixels.append(max(240 - 9 * away - (state >> 60), 0))
    return struct.pack(">4B3I", 0, 0, 8, 3, count, side, side) + pixels


def test_a_circuit_of_images_joins_in_the_contexts_of_pixels(llmzip) -> None:
    data = disks(400, 12, 5)
    (llmzip.folder / "train.idx").write_bytes(disks(1500, 12, 3))
    (llmzip.folder / "t.idx").write_bytes(data)
    llmzip("train", "train.idx", "-o", "i.pc", "--states", "8", "--passes", "4", "-q")
    sizes = {}
    for name, words in {
        "joined": ("-m", "i.pc"),
        "forced": ("-m", "i.pc", "-p", "circuit"),
        "alone": ("-m", "i.pc", "-p", "circuit", "-5"),
        "plain": ("-p", "cm"),
        "embedded": ("-m", "i.pc", "--embed-model"),
    }.items():
        llmzip(*words, "-o", f"{name}.llmz", "t.idx")
        sizes[name] = (llmzip.folder / f"{name}.llmz").stat().st_size
        assert llmzip("-d", "-c", "-m", "i.pc", f"{name}.llmz").stdout == data, name
    assert sizes["joined"] == sizes["forced"] < min(sizes["alone"], sizes["plain"])
    shown = llmzip("list", "-v", "joined.llmz").stdout.decode()
    assert "circuit 1" in shown and "needed to decode" in shown
    assert "needs the model 'i'" in llmzip.fails("-d", "-c", "joined.llmz", code=3)
    assert llmzip("-d", "-c", "embedded.llmz").stdout == data
    second = data.split(b"\n", 2)[1] + b"\n"
    assert llmzip("rows", "-m", "i.pc", "joined.llmz", "1").stdout == second
    piped = llmzip("-c", "-m", "i.pc", stdin=data).stdout
    assert piped == (llmzip.folder / "joined.llmz").read_bytes()
    # A circuit of images of another size has nothing to say.
    (llmzip.folder / "o.idx").write_bytes(disks(200, 9, 5))
    llmzip("-m", "i.pc", "o.idx")
    assert "needed" not in llmzip("list", "o.idx.llmz").stdout.decode()


def test_a_stack_of_images_is_trained_on_and_cut_at_images(llmzip) -> None:
    count, side = 1200, 12
    pixels = bytearray()
    for image in range(count):
        shade, wide = 40 + image % 5 * 40, 2 + image % 3
        places = ((x, y) for y in range(side) for x in range(side))
        pixels += bytes(shade if abs(x - y) < wide else 0 for x, y in places)
    data = struct.pack(">4B3I", 0, 0, 8, 3, count, side, side) + pixels
    (llmzip.folder / "images.idx").write_bytes(data)
    llmzip("train", "images.idx", "-o", "i.pc", "--states", "8", "--passes", "2", "-q")
    llmzip("-m", "i.pc", "-p", "circuit", "images.idx")
    assert (llmzip.folder / "images.idx.llmz").stat().st_size < len(data) // 20
    assert llmzip("-d", "-c", "-m", "i.pc", "images.idx.llmz").stdout == data


def test_wrong_uses_are_said(circuit) -> None:
    assert "-o FILE" in circuit.fails("train", "t.csv", code=2)
    assert "4, 8, 16 or 32" in circuit.fails("train", "t.csv", "-o", "x", "--states", "5", code=2)
    (circuit.folder / "noise").write_bytes(bytes(range(256)) * 20)
    assert "neither a table" in circuit.fails("train", "noise", "-o", "x", code=2)
    assert "c.pc" in circuit.fails("train", "t.csv", "-o", "c.pc")
    assert not (circuit.folder / "x").exists()
    assert "takes no model" in circuit.fails("-p", "cm", "-m", "c.pc", "t.csv", code=2)
    assert "needs a model" in circuit.fails("-p", "llm", "-m", "c.pc", "t.csv", code=2)
    assert "needs a circuit" in circuit.fails("-p", "circuit", "t.csv", code=2)
    pack = bytearray((circuit.folder / "c.pc").read_bytes())
    for cut in (0, 9, 40, len(pack) - 5):
        (circuit.folder / "cut.pc").write_bytes(pack[:cut])
        assert "cut.pc" in circuit.fails("-m", "cut.pc", "t.csv", code=3 if cut < 8 else 1)
        assert not (circuit.folder / "t.csv.llmz").exists()
