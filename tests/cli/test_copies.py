"""Equal tensors across the files of a folder, with `-r`."""

from __future__ import annotations

import json
import random
import struct

COUNT = 20_000


def weights(seed: int) -> bytes:
    source = random.Random(seed)
    return b"".join(struct.pack("<f", source.gauss(0, 0.05)) for _ in range(COUNT))


A, B, C = map(weights, range(3))


def checkpoint(**tensors: bytes) -> bytes:
    table, data = {}, b""
    for name, raw in tensors.items():
        offsets = [len(data), len(data) + len(raw)]
        table[name] = {"dtype": "F32", "shape": [COUNT], "data_offsets": offsets}
        data += raw
    text = json.dumps(table).encode()
    return struct.pack("<Q", len(text)) + text + data


FILES = {
    "model-00001-of-00003.safetensors": checkpoint(embedding=A, one=B),
    "model-00002-of-00003.safetensors": checkpoint(two=C),
    "model-00003-of-00003.safetensors": checkpoint(three=B, head=A, tied=A),
    "deeper/other.safetensors": checkpoint(embedding=A, again=A),
    "config.json": b'{"tie_word_embeddings": true}\n' * 40,
}
FIRST, SECOND, THIRD = (f"model-0000{n}-of-00003.safetensors" for n in (1, 2, 3))


def shards(llmzip) -> None:
    for name, data in FILES.items():
        llmzip.write(f"model/{name}", data)


def size(llmzip, name: str) -> int:
    return (llmzip.folder / "model" / f"{name}.llmz").stat().st_size


def test_shards_share_their_tensors(llmzip):
    shards(llmzip)
    done = llmzip("-r", "model")
    lines = done.stderr.decode().splitlines()
    assert len(lines) == 1
    assert THIRD in lines[0] and f"{FIRST}.llmz" in lines[0] and "--standalone" in lines[0]
    assert size(llmzip, THIRD) < 2000 < size(llmzip, SECOND)
    # A folder of its own needs no other one.
    assert 60_000 < size(llmzip, "deeper/other.safetensors") < 90_000
    listed = llmzip("list", f"model/{THIRD}.llmz").stdout.decode()
    assert f"needs       {FIRST}.llmz" in listed
    assert [line.split()[-1] for line in listed.splitlines() if "f32" in line] == ["copy"] * 3
    llmzip("-t", "-r", "model")
    (llmzip.folder / "back").mkdir()
    llmzip("-d", "-r", "--output-dir", "back", "model")
    for name, data in FILES.items():
        assert (llmzip.folder / "back" / "model" / name).read_bytes() == data


def test_what_is_needed_is_said_last(llmzip):
    """Also where the inputs are removed, with whatever else is said, and after failures."""
    shards(llmzip)
    llmzip.write("model/zz-taken", b"text\n")
    llmzip.write("model/zz-taken.llmz", b"not to be overwritten")
    done = llmzip("-r", "--rm", "-v", "model", code=1)
    assert not (llmzip.folder / "model" / THIRD).exists()
    *others, last = done.stderr.decode().splitlines()
    assert sum("exists" in line for line in others) == 1
    assert last.startswith(f"llmzip: model/{THIRD}.llmz: has tensors of {FIRST}.llmz ")
    assert "keep them together" in last and "--standalone" in last
    assert not any("has tensors of" in line for line in others)


def test_quiet_does_not_hide_what_is_needed_once_the_inputs_are_gone(llmzip):
    shards(llmzip)
    assert llmzip("-r", "-q", "model").stderr == b""
    for name in FILES:
        (llmzip.folder / "model" / f"{name}.llmz").unlink()
    done = llmzip("-r", "-q", "--rm", "model")
    (line,) = done.stderr.decode().splitlines()
    assert THIRD in line and f"has tensors of {FIRST}.llmz " in line


def test_an_archive_that_was_not_made_needs_nothing(llmzip):
    shards(llmzip)
    llmzip.write(f"model/{THIRD}.llmz", b"not to be overwritten")
    assert "exists" in llmzip.fails("-r", "--rm", "model")


def test_help_tells_of_references(llmzip):
    text = llmzip("compress", "--help").stdout.decode()
    assert "do not decompress without it, so keep it" in text and "--standalone" in text


def test_json_tells_what_is_needed(llmzip):
    shards(llmzip)
    done = llmzip("-r", "--json", "-q", "model")
    assert done.stderr == b""
    reports = [json.loads(line) for line in done.stdout.splitlines()]
    assert {r["file"]: r["needs"] for r in reports if r["needs"]} == {f"model/{THIRD}": [FIRST]}
    for arguments in (["-t"], ["-t", "--quick"], ["-d", "-o", "back"]):
        done = llmzip(*arguments, "--json", f"model/{THIRD}.llmz")
        assert json.loads(done.stdout)["needs"] == [FIRST]
    done = llmzip("list", "--json", f"model/{THIRD}.llmz")
    (model,) = json.loads(done.stdout)["archives"][0]["models"]
    assert (model["kind"], model["name"]) == ("archive", FIRST)


def test_standalone_archives_need_none(llmzip):
    shards(llmzip)
    done = llmzip("-r", "--standalone", "model")
    assert done.stderr == b""
    assert 120_000 < size(llmzip, THIRD) < 160_000
    llmzip("-dc", f"model/{THIRD}.llmz")
    assert b"needs" not in llmzip("list", f"model/{THIRD}.llmz").stdout


def test_without_folders_no_archive_needs_another(llmzip):
    shards(llmzip)
    llmzip(f"model/{FIRST}", f"model/{THIRD}")
    (llmzip.folder / "model" / f"{FIRST}.llmz").unlink()
    assert llmzip("-dc", f"model/{THIRD}.llmz").stdout == FILES[THIRD]


def test_a_missing_archive_is_named(llmzip):
    shards(llmzip)
    llmzip("-r", "-q", "model")
    first = llmzip.folder / "model" / f"{FIRST}.llmz"
    first.rename(llmzip.folder / "away.llmz")
    (llmzip.folder / "model" / FIRST).unlink()
    archive = f"model/{THIRD}.llmz"
    for arguments in (("-d", "-f", archive), ("-dc", archive), ("-t", archive)):
        assert FIRST in llmzip.fails(*arguments, code=3)
    assert FIRST in llmzip.fails("cat", archive, "head", code=3)
    assert (llmzip.folder / "model" / THIRD).read_bytes() == FILES[THIRD]
    llmzip("list", archive)
    llmzip("-t", "--quick", archive)
    assert FIRST in llmzip.fails("recover", archive, "-o", "saved", code=3)
    first.parent.joinpath("any-name.llmz").write_bytes((llmzip.folder / "away.llmz").read_bytes())
    assert llmzip("-dc", archive).stdout == FILES[THIRD]
    assert llmzip("cat", archive, "head").stdout == A


def test_archives_that_were_decompressed_and_removed(llmzip):
    shards(llmzip)
    llmzip("-r", "-q", "--rm", "model")
    llmzip("-d", "-r", "--rm", "model")
    assert llmzip.names() == sorted(["model", "model/deeper", *(f"model/{name}" for name in FILES)])
    for name, data in FILES.items():
        assert (llmzip.folder / "model" / name).read_bytes() == data


def test_equal_files(llmzip):
    for name in "abc":
        llmzip.write(f"model/{name}", FILES[FIRST])
    done = llmzip("-r", "--rm", "model")
    assert [line.split()[1] for line in done.stderr.decode().splitlines()] == [
        "model/b.llmz:",
        "model/c.llmz:",
    ]
    assert llmzip("-d", "-r", "--rm", "model").stderr == b""
    for name in "abc":
        assert (llmzip.folder / "model" / name).read_bytes() == FILES[FIRST]


def test_a_pipe_is_told_where_the_folder_is(llmzip):
    shards(llmzip)
    llmzip("-r", "-q", "model")
    data = (llmzip.folder / "model" / f"{THIRD}.llmz").read_bytes()
    assert FIRST in llmzip.fails("-dc", stdin=data, code=3)
    assert llmzip("-dc", "--base", "model", stdin=data).stdout == FILES[THIRD]
