"""Tensors on the command line: list, cat, estimate."""

from __future__ import annotations

import json
import struct
from random import Random

from cli.conftest import Shell

RANDOM = Random(11)
# As bf16, weights of few exponents: 60,000 in rows of 100.
WEIGHTS = bytes(b for value in RANDOM.choices(range(256), k=60_000) for b in (value, 0x3C))
NOISE = RANDOM.randbytes(5000)
TABLE = {
    "layer.weight": {"dtype": "BF16", "shape": [600, 100], "data_offsets": [0, 120_000]},
    "a name that is far longer than eighty signs, " + "x" * 60: {
        "dtype": "U8",
        "shape": [5000],
        "data_offsets": [120_000, 125_000],
    },
    "zeros": {"dtype": "F32", "shape": [250], "data_offsets": [125_000, 126_000]},
    "bad\x1b": {"dtype": "F32", "shape": [], "data_offsets": [126_000, 126_004]},
    "strange": {"dtype": "F99", "shape": [9], "data_offsets": [126_004, 126_007]},
    "tied": {"dtype": "BF16", "shape": [600, 100], "data_offsets": [0, 120_000]},
}
DATA = WEIGHTS + NOISE + bytes(1000) + b"\0\0\x80\x3f" + b"abc"


def model(llmzip: Shell, *arguments: str) -> bytes:
    """Makes m.llmz of a file m, which goes, and returns what it held."""
    text = json.dumps(TABLE).encode()
    content = struct.pack("<Q", len(text)) + text + DATA
    llmzip.write("m", content)
    llmzip("--rm", *arguments, "m")
    return content


def test_list_shows_tensors(llmzip: Shell) -> None:
    model(llmzip)
    told = llmzip("list", "m.llmz").stdout.decode()
    lines = told.splitlines()
    head = next(n for n, line in enumerate(lines) if line.split()[0] == "tensor")
    rows = lines[head + 1 :]
    assert "\x1b" not in told and "x" * 60 in told
    assert [row.split()[0] for row in rows] == [
        "layer.weight",
        "a",
        "zeros",
        "bad\\x1b",
        "strange",
        "5",
    ]
    weight = rows[0].split()
    assert weight[1:4] == ["bf16", "600x100", "120,000"] and weight[6] == "tensor"
    stored = int(weight[4].replace(",", ""))
    assert 60_000 < stored < 62_000 and float(weight[5]) == round(8 * stored / 60_000, 3)
    assert rows[1].split()[-6:-3] == ["u8", "5000", "5,000"] and rows[1].endswith("stored")
    assert rows[2].endswith("constant")
    assert rows[3].split()[1:4] == ["f32", "scalar", "4"]
    assert rows[4].split()[1:4] == ["?", "?", "3"]
    end = lines[head].index("stored") + len("stored")
    assert all(row[end - 1].isdigit() and row[end] == " " for row in rows)


def test_many_tiny_tensors_share_segments_and_are_listed_all_the_same(llmzip: Shell) -> None:
    count = 400
    table = {
        f"t{n:03}": {"dtype": "F32", "shape": [4], "data_offsets": [16 * n, 16 * n + 16]}
        for n in range(count)
    }
    table["large"] = {
        "dtype": "U8",
        "shape": [5000],
        "data_offsets": [16 * count, 16 * count + 5000],
    }
    text = json.dumps(table).encode()
    data = RANDOM.randbytes(16 * count) + NOISE
    llmzip.write("m", struct.pack("<Q", len(text)) + text + data)
    llmzip("m")
    assert (llmzip.folder / "m.llmz").stat().st_size < len(data) + 5000
    (archive,) = json.loads(llmzip("list", "--json", "m.llmz").stdout)["archives"]
    assert len(archive["segments"]) < 5
    assert [tensor["name"] for tensor in archive["tensors"]] == list(table)
    first, *_, last = archive["tensors"]
    assert (first["kind"], first["raw_bytes"], first["stored_bytes"]) == ("f32", 16, None)
    assert (first["method"], last["method"]) == ("shared", "stored")
    told = llmzip("list", "m.llmz").stdout.decode()
    assert "1 tensors, 400 tiny ones beside" in told
    assert llmzip("cat", "m.llmz", "t007").stdout == data[112:128]
    llmzip("-d", "-o", "back", "m.llmz")
    assert (llmzip.folder / "back").read_bytes() == (llmzip.folder / "m").read_bytes()


def test_list_in_json(llmzip: Shell) -> None:
    model(llmzip, "-3")
    told = json.loads(llmzip("list", "--json", "m.llmz").stdout)
    (archive,) = told["archives"]
    assert [tensor["name"] for tensor in archive["tensors"]] == list(TABLE)[:5]
    first, *_, last = archive["tensors"]
    assert first["kind"] == "bf16" and first["shape"] == [600, 100]
    assert (first["elements"], first["raw_bytes"]) == (60_000, 120_000)
    assert first["bits_per_element"] == round(8 * first["stored_bytes"] / 60_000, 6)
    assert (last["kind"], last["shape"], last["elements"]) == ("", [], None)
    stored = sum(tensor["stored_bytes"] for tensor in archive["tensors"])
    assert stored < archive["archive_bytes"] == (llmzip.folder / "m.llmz").stat().st_size


def test_list_of_a_pipe_knows_no_shapes(llmzip: Shell) -> None:
    model(llmzip)
    told = json.loads(
        llmzip("list", "--json", stdin=(llmzip.folder / "m.llmz").read_bytes()).stdout
    )
    tensors = told["archives"][0]["tensors"]
    assert [tensor["name"] for tensor in tensors] == list(TABLE)[:5]
    assert {tensor["elements"] for tensor in tensors} == {None}
    assert [tensor["raw_bytes"] for tensor in tensors] == [120_000, 5000, 1000, 4, 3]


def test_list_of_other_archives_shows_none(llmzip: Shell) -> None:
    llmzip.write("a")
    llmzip("a")
    assert b"tensor" not in llmzip("list", "a.llmz").stdout
    assert json.loads(llmzip("list", "--json", "a.llmz").stdout)["archives"][0]["tensors"] == []


def test_list_of_a_damaged_header_keeps_the_names(llmzip: Shell) -> None:
    model(llmzip)
    told = json.loads(llmzip("list", "--json", "m.llmz").stdout)
    first = told["archives"][0]["segments"][0]
    data = bytearray((llmzip.folder / "m.llmz").read_bytes())
    data[first["offset"] + first["length"] - 2] ^= 1
    (llmzip.folder / "m.llmz").write_bytes(data)
    told = json.loads(llmzip("list", "--json", "m.llmz").stdout)
    tensors = told["archives"][0]["tensors"]
    assert [tensor["name"] for tensor in tensors] == list(TABLE)[:5]
    assert {tensor["kind"] for tensor in tensors} == {""}


def test_cat_writes_one_tensor(llmzip: Shell) -> None:
    content = model(llmzip)
    for name, entry in TABLE.items():
        begin, end = entry["data_offsets"]
        assert llmzip("cat", "m.llmz", name).stdout == DATA[begin:end]
    llmzip("cat", "m.llmz", "zeros", "-o", "out")
    assert (llmzip.folder / "out").read_bytes() == bytes(1000)
    assert "exists" in llmzip.fails("cat", "m.llmz", "zeros", "-o", "out")
    llmzip("cat", "-f", "m.llmz", "tied", "-o", "out")
    assert (llmzip.folder / "out").read_bytes() == WEIGHTS
    assert llmzip("cat", "m.llmz").stdout == content
    assert llmzip("cat", "m.llmz", "-o", "all").stdout == b""
    assert (llmzip.folder / "all").read_bytes() == content


def test_cat_says_what_there_is(llmzip: Shell) -> None:
    model(llmzip)
    assert "near: layer.weight" in llmzip.fails("cat", "m.llmz", "layer.wight", "-o", "out")
    assert "6 here" in llmzip.fails("cat", "m.llmz", "#")
    assert "one tensor" in llmzip.fails("cat", "m.llmz", "zeros", "tied", code=2)
    assert "no table of tensors" in llmzip.fails("cat", *other(llmzip), "zeros", code=2)
    llmzip.write("plain")
    assert "not a .llmz" in llmzip.fails("cat", "plain", "zeros")
    assert "no such file" in llmzip.fails("cat", "missing", "zeros")
    assert "pipe" in llmzip.fails("cat", "-", "zeros", stdin=b"", code=2)
    assert "one of the inputs" in llmzip.fails("cat", "-f", "m.llmz", "zeros", "-o", "m.llmz")
    assert not (llmzip.folder / "out").exists()


def other(llmzip: Shell) -> list[str]:
    llmzip.write("a")
    llmzip("a")
    return ["a.llmz"]


def test_cat_reads_its_segments_alone(llmzip: Shell) -> None:
    model(llmzip)
    told = json.loads(llmzip("list", "--json", "m.llmz").stdout)
    (noise,) = [s for s in told["archives"][0]["segments"] if s["label"].startswith("a name")]
    data = bytearray((llmzip.folder / "m.llmz").read_bytes())
    data[noise["offset"] + noise["length"] - 1] ^= 1
    (llmzip.folder / "m.llmz").write_bytes(data)
    assert llmzip("cat", "m.llmz", "zeros").stdout == bytes(1000)
    assert "damaged" in llmzip.fails("cat", "m.llmz", noise["label"], "-o", "out")
    assert not (llmzip.folder / "out").exists()


def test_tensors_that_are_changes_of_a_base(llmzip: Shell) -> None:
    content = model(llmzip)
    (llmzip.folder / "m.llmz").unlink()
    llmzip.write("bases/m", content)
    begin = content.index(WEIGHTS)
    # Every hundredth weight moves.
    new = bytearray(content)
    new[begin : begin + 120_000 : 200] = (b ^ 1 for b in WEIGHTS[::200])
    llmzip.write("m", bytes(new))
    llmzip("--rm", "--base", "bases", "m")
    assert (llmzip.folder / "m.llmz").stat().st_size < 10_000
    told = json.loads(llmzip("list", "--json", "m.llmz").stdout)
    assert told["archives"][0]["tensors"][0]["kind"] == "bf16"
    assert llmzip("cat", "m.llmz", "strange").stdout == b"abc"
    assert "m" in llmzip.fails("cat", "m.llmz", "layer.weight", code=3)
    changed = bytes(new[begin : begin + 120_000])
    assert llmzip("cat", "--base", "bases", "m.llmz", "layer.weight").stdout == changed
    llmzip.write("other/m", content)
    (llmzip.folder / "m.llmz").rename(llmzip.folder / "other/m.llmz")
    assert llmzip("cat", "other/m.llmz", "tied").stdout == changed


def test_cat_in_json_and_verbose(llmzip: Shell) -> None:
    model(llmzip)
    told = json.loads(llmzip("cat", "--json", "m.llmz", "zeros", "-o", "out").stdout)
    assert (told["tensor"], told["dtype"], told["shape"]) == ("zeros", "F32", [250])
    assert (told["raw_bytes"], told["output"]) == (1000, "out")
    assert "--json" in llmzip.fails("cat", "--json", "m.llmz", "zeros", code=2)
    assert b"zeros: 1,000 bytes" in llmzip("cat", "-v", "m.llmz", "zeros").stderr


def test_estimate_is_near_what_comes(llmzip: Shell) -> None:
    content = model(llmzip)
    sizes = {"default_bytes": (llmzip.folder / "m.llmz").stat().st_size}
    llmzip.write("m", content)
    llmzip("-1", "m", "-o", "fast")
    sizes["fast_bytes"] = (llmzip.folder / "fast").stat().st_size
    before = llmzip.names()
    told = json.loads(llmzip("estimate", "--json", "m").stdout)
    assert told["estimate"] and told["raw_bytes"] == len(content)
    assert told["sampled_bytes"] == 126_004
    for name, size in sizes.items():
        # What is not a tensor counts as it is.
        assert abs(told[name] - size) < 1500
    kinds = {kind["kind"]: kind for kind in told["kinds"]}
    assert kinds.keys() == {"bf16", "u8", "f32"}
    bf16 = kinds["bf16"]
    assert [plane["name"] for plane in bf16["planes"]] == ["exponent", "sign, mantissa"]
    # The lowest bit of the exponent and the mantissa are the random byte.
    assert 0.99 < bf16["planes"][0]["order0"] < 1.01
    assert 6.99 < bf16["planes"][1]["order0"] < 7.01
    assert 7.9 < bf16["order0"] < 8.1 and 7.9 < bf16["fast"] < 8.4
    lines = llmzip("estimate", "m").stdout.decode().splitlines()
    assert "estimated from 126,004 sampled bytes" in lines[2]
    assert llmzip.names() == before


def test_estimate_of_what_has_no_tensors(llmzip: Shell) -> None:
    assert "no tensors" in llmzip.fails("estimate", str(llmzip.write("a").name), code=2)
    model(llmzip)
    assert "an archive already" in llmzip.fails("estimate", "m.llmz", code=2)
    assert "files alone" in llmzip.fails("estimate", code=2)
    assert "no such file" in llmzip.fails("estimate", "missing")
