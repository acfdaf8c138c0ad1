"""`--base` at both ends, and what is left of an archive whose base is not at hand."""

from __future__ import annotations

import json
import os
import struct
from pathlib import Path

import pytest

from .conftest import Shell

VALUES = 4096
BYTES = 4 * VALUES


def floats(seed: int, step: int = 0) -> bytes:
    """Weights; those of near steps are near one another."""
    values = (1 / (1 + (i * 2654435761 + seed) % 4096) + step * 1e-9 for i in range(VALUES))
    return struct.pack(f"<{VALUES}f", *values)


def checkpoint(**tensors: bytes) -> bytes:
    """A safetensors file of tensors of 64 x 64 floats."""
    table = {
        name: {"dtype": "F32", "shape": [64, 64], "data_offsets": [i * BYTES, (i + 1) * BYTES]}
        for i, name in enumerate(tensors)
    }
    text = json.dumps(table).encode()
    return struct.pack("<Q", len(text)) + text + b"".join(tensors.values())


def tuned(step: int) -> bytes:
    """Of four tensors, two change with the steps; one is new each time, one has equal bytes."""
    tensors = {"first": floats(1, step), "zeros": bytes(BYTES), f"new{step}": floats(9 + step)}
    return checkpoint(**tensors, last=floats(2, step))


def labels(llmzip: Shell, name: str) -> dict[str, tuple[int, int]]:
    """Where each labelled segment of an archive is: offset and length."""
    (told,) = map(json.loads, llmzip("list", "--json", name).stdout.splitlines())
    return {
        segment["label"]: (segment["offset"], segment["length"])
        for segment in told["archives"][0]["segments"]
        if segment["label"]
    }


@pytest.fixture
def change(llmzip: Shell) -> Path:
    """The archive of a tuned model, whose base is in the folder `old`."""
    llmzip.write("old/model.st", tuned(0))
    llmzip.write("new/model.st", tuned(1))
    llmzip("--base", "old", "new/model.st", "-o", "change.llmz")
    return llmzip.folder / "change.llmz"


def test_a_change_is_smaller_and_needs_its_base(llmzip: Shell, change: Path) -> None:
    llmzip("new/model.st", "-o", "alone.llmz")
    sizes = {name: labels(llmzip, f"{name}.llmz")["first"][1] for name in ("alone", "change")}
    assert sizes["change"] * 2 < sizes["alone"]
    line = llmzip.fails("-d", "change.llmz", "-o", "back", code=3)
    assert "model.st" in line and "--base" in line
    assert "is another" in llmzip.fails("-d", "--base", "new", "change.llmz", "-o", "back", code=3)
    assert not (llmzip.folder / "back").exists()
    llmzip("-d", "--base", "old", "change.llmz", "-o", "back")
    assert (llmzip.folder / "back").read_bytes() == tuned(1)
    llmzip("test", "--base", "old/model.st", "change.llmz")
    assert "nothing" in llmzip.fails("-d", "--base", "nothing", "change.llmz", "-o", "x", code=2)


def test_a_base_that_is_not_there(llmzip: Shell) -> None:
    llmzip.write("model.st", tuned(0))
    assert "nothing" in llmzip.fails("--base", "nothing", "model.st", "-o", "x.llmz", code=2)
    assert llmzip.names() == ["model.st"]


def test_a_base_whose_name_cannot_be_stored(llmzip: Shell) -> None:
    (llmzip.folder / os.fsdecode(b"old\xff.st")).write_bytes(tuned(0))
    llmzip.write("new.st", tuned(1))
    llmzip("--base", b"old\xff.st", "new.st")
    assert "holds changes of 'a file'" in llmzip.fails("-dc", "new.st.llmz", code=3)
    assert llmzip("-dc", "--base", b"old\xff.st", "new.st.llmz").stdout == tuned(1)


def test_only_changes_ask_for_the_base(llmzip: Shell, change: Path) -> None:
    assert llmzip("cat", "change.llmz", "zeros").stdout == bytes(BYTES)
    assert llmzip("cat", "change.llmz", "new1").stdout == floats(10)
    assert "model.st" in llmzip.fails("cat", "change.llmz", "last", code=3)
    assert llmzip("cat", "--base", "old", "change.llmz", "last").stdout == floats(2, 1)


def test_an_archive_without_changes_needs_no_base(llmzip: Shell) -> None:
    content = checkpoint(zeros=bytes(BYTES), ones=b"\1" * BYTES, new=floats(5))
    llmzip.write("old.st", checkpoint(zeros=bytes(BYTES), ones=b"\1" * BYTES))
    llmzip.write("new.st", content)
    llmzip("--base", "old.st", "new.st")
    (llmzip.folder / "old.st").unlink()
    llmzip("test", "new.st.llmz")
    for threads in ("-T1", "-T2"):
        assert llmzip("-dc", threads, "new.st.llmz").stdout == content
    assert llmzip("recover", "-c", "new.st.llmz").stdout == content


def test_recover_finds_the_base_as_decompress_does(llmzip: Shell, change: Path) -> None:
    for base in ("old", "old/model.st"):
        assert llmzip("recover", "--base", base, "-c", "change.llmz").stdout == tuned(1)
    llmzip.write("model.st", tuned(0))
    assert llmzip("recover", "-c", "change.llmz").stdout == tuned(1)


def test_recover_without_the_base_saves_what_is_no_change(llmzip: Shell, change: Path) -> None:
    line = llmzip.fails("recover", "change.llmz", "-o", "out", code=3)
    kept = tuned(1).replace(floats(1, 1), b"").replace(floats(2, 1), b"")
    assert (llmzip.folder / "out").read_bytes() == kept
    assert f"{len(kept):,} bytes from 3 of 5 segments found; out holds them; 2 segments" in line
    assert f"({2 * BYTES:,} bytes)" in line and "'model.st'" in line and "--base" in line
    assert "is another" in llmzip.fails("recover", "-f", "--base", "new", *RECOVER, code=3)
    done = llmzip("recover", "--json", "-f", *RECOVER, code=3)
    told = json.loads(done.stdout)
    assert (told["error"]["kind"], told["output"]) == ("model", "out")
    assert [gap["needs_file"] for gap in told["lost"]] == [True, True]
    (llmzip.folder / "out").unlink()
    assert "nothing" in llmzip.fails("recover", "--base", "nothing", *RECOVER, code=2)
    assert not (llmzip.folder / "out").exists()


RECOVER = ("change.llmz", "-o", "out")


def damage(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def test_recover_of_a_damaged_change(llmzip: Shell, change: Path) -> None:
    offset, length = labels(llmzip, "change.llmz")["first"]
    damage(change, offset + length - 3)
    done = llmzip("recover", "--base", "old", *RECOVER, code=1)
    lost, last = done.stderr.decode().splitlines()
    assert "lost: segment 1 " in lost and "damaged" in lost
    assert "4 of 5 segments" in last
    assert (llmzip.folder / "out").read_bytes() == tuned(1).replace(floats(1, 1), b"")
    # What is damaged is told apart from what the base would bring back.
    done = llmzip("recover", "-f", *RECOVER, code=3)
    lost, last = done.stderr.decode().splitlines()
    assert "lost: segment 1 " in lost and "damaged" in lost
    assert "segment 4 " in last and f"({BYTES:,} bytes)" in last and "'model.st'" in last


def test_recover_of_a_change_whose_index_is_lost(llmzip: Shell, change: Path) -> None:
    change.write_bytes(change.read_bytes()[:-60])
    llmzip.write("model.st", tuned(0))
    llmzip("recover", *RECOVER)
    assert (llmzip.folder / "out").read_bytes() == tuned(1)


def test_recover_where_the_base_is_named_in_a_header_that_is_lost(
    llmzip: Shell, change: Path
) -> None:
    damage(change, 20)
    llmzip.write("model.st", tuned(0))
    done = llmzip("recover", *RECOVER, code=3)
    assert "header" in done.stderr.decode().splitlines()[-1]
    assert "--base" in done.stderr.decode().splitlines()[-1]
    llmzip("recover", "-f", "--base", "model.st", *RECOVER)
    assert (llmzip.folder / "out").read_bytes() == tuned(1)
    # Nothing says that this is another file but what the chunks' checks find.
    llmzip.write("other.st", tuned(5))
    done = llmzip("recover", "-f", "--base", "other.st", *RECOVER, code=1)
    assert done.stderr.count(b"does not decode") == 2
    kept = tuned(1).replace(floats(1, 1), b"").replace(floats(2, 1), b"")
    assert (llmzip.folder / "out").read_bytes() == kept


def test_an_archive_named_as_its_base_that_is_damaged(llmzip: Shell) -> None:
    llmzip.write("old/model.st", tuned(0))
    llmzip.write("model.st", tuned(1))
    llmzip("--base", "old", "--rm", "model.st")
    archive = llmzip.folder / "model.st.llmz"
    archive.write_bytes(archive.read_bytes()[:-1])
    assert (
        "holds changes of 'model.st'"
        in llmzip("recover", archive.name, "-o", "x", code=3).stderr.decode()
    )
    llmzip("recover", "--base", "old", archive.name, "-fo", "x")
    assert (llmzip.folder / "x").read_bytes() == tuned(1)


def test_archives_that_need_one_another_as_bases(llmzip: Shell) -> None:
    for name, other in ("ab", "ba"):
        llmzip.write(f"{other}-old/{other}", tuned(0))
        llmzip.write(name, tuned(1))
        llmzip("--base", f"{other}-old/{other}", "--rm", name)
    assert "holds changes of 'b'" in llmzip.fails("-d", "a.llmz", code=3)


def test_a_base_that_is_a_damaged_archive(llmzip: Shell, change: Path) -> None:
    llmzip("old/model.st", "-o", "model.st.llmz")
    llmzip("-dc", "change.llmz")
    damage(llmzip.folder / "model.st.llmz", -70)
    line = llmzip.fails("-dc", "change.llmz", code=3)
    assert "model.st.llmz cannot be read" in line
