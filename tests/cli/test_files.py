"""Which inputs are taken, what their outputs are called, and what is refused."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from .conftest import Shell, obey_modes

CONTENT = b"row after row after row\n" * 300


def test_output_exists(llmzip: Shell) -> None:
    source = llmzip.write("a", CONTENT)
    old = llmzip.write("a.llmz", b"precious")
    assert "a.llmz exists; -f overwrites it" in llmzip.fails("a")
    assert old.read_bytes() == b"precious"
    llmzip("-f", "a")
    source.write_bytes(b"also precious")
    assert "a exists" in llmzip.fails("-d", "a.llmz")
    assert source.read_bytes() == b"also precious"
    llmzip("-d", "-f", "a.llmz")
    assert source.read_bytes() == CONTENT
    assert llmzip.names() == ["a", "a.llmz"]


def test_dangling_link_counts_as_existing(llmzip: Shell) -> None:
    llmzip.write("a", CONTENT)
    (llmzip.folder / "a.llmz").symlink_to("nowhere")
    assert "exists" in llmzip.fails("a")
    llmzip("-f", "a")
    assert not (llmzip.folder / "a.llmz").is_symlink()
    assert llmzip.names() == ["a", "a.llmz"]


def test_overwriting_replaces_a_link_and_leaves_its_target(llmzip: Shell) -> None:
    llmzip.write("a", CONTENT)
    other = llmzip.write("other", b"precious")
    (llmzip.folder / "out").symlink_to("other")
    llmzip("-f", "-o", "out", "a")
    assert other.read_bytes() == b"precious"
    assert not (llmzip.folder / "out").is_symlink()


@pytest.mark.parametrize("options", [[], ["-f"]])
def test_output_is_the_input(llmzip: Shell, options: list[str]) -> None:
    source = llmzip.write("a", CONTENT)
    os.link(source, llmzip.folder / "hard")
    (llmzip.folder / "soft").symlink_to("a")
    for name in ("a", "./a", "hard", "soft"):
        assert "one of the inputs" in llmzip.fails(*options, "-o", name, "a")
    assert "one of the inputs" in llmzip.fails(*options, "-o", "a", stdin=None, **_stdin(source))
    with source.open("ab") as end:
        llmzip.fails("-c", "a", stdout=end)
        llmzip.fails(stdout=end, **_stdin(source))
    assert source.read_bytes() == CONTENT


def _stdin(path: Path) -> dict[str, object]:
    return {"stdin": None} if path is None else {"preexec_fn": lambda: os.dup2(_open(path), 0)}


def _open(path: Path) -> int:
    return os.open(path, os.O_RDONLY)


def test_output_is_a_later_input(llmzip: Shell) -> None:
    llmzip.write("a", CONTENT)
    later = llmzip.write("a.llmz", b"waits for its turn")
    done = llmzip("-f", "a", "a.llmz", code=1)
    assert b"a.llmz is one of the inputs" in done.stderr
    assert later.read_bytes() == b"waits for its turn"
    assert llmzip("-dc", "a.llmz.llmz").stdout == b"waits for its turn"


def test_no_output_overwrites_another_of_the_same_call(llmzip: Shell) -> None:
    llmzip.write("x/a", b"first")
    llmzip.write("y/a", b"second")
    (llmzip.folder / "out").mkdir()
    done = llmzip("-f", "--output-dir", "out", "x/a", "y/a", code=1)
    assert b"y/a: out/a.llmz was written by this very call" in done.stderr
    assert llmzip("-dc", "out/a.llmz").stdout == b"first"


def test_several_files_go_on_after_a_failure(llmzip: Shell) -> None:
    llmzip.write("a", CONTENT)
    llmzip.write("c", CONTENT)
    line = llmzip.fails("a", "missing", "c")
    assert line == "llmzip: missing: no such file or folder"
    assert llmzip.names() == ["a", "a.llmz", "c", "c.llmz"]


def test_the_worst_exit_code_wins(llmzip: Shell) -> None:
    llmzip.write("a", CONTENT)
    llmzip("a")
    newer = bytearray((llmzip.folder / "a.llmz").read_bytes())
    newer[8] = 9
    newer[14:16] = _crc16(bytes(newer[:14]))
    llmzip.write("newer.llmz", bytes(newer))
    llmzip.write("junk.llmz", b"not an archive at all, not even close to one" * 9)
    assert llmzip("test", "junk.llmz", code=1).stderr.count(b"\n") == 1
    assert llmzip("test", "newer.llmz", code=3).stderr.count(b"\n") == 1
    for order in (["junk.llmz", "newer.llmz", "a.llmz"], ["newer.llmz", "junk.llmz", "a.llmz"]):
        assert llmzip("test", *order, code=3).stderr.count(b"\n") == 2


def _crc16(data: bytes) -> bytes:
    import zlib

    return (zlib.crc32(data) & 0xFFFF).to_bytes(2, "little")


def test_unreadable_input(llmzip: Shell) -> None:
    llmzip.write("a", CONTENT).chmod(0)
    assert llmzip.fails("a", preexec_fn=obey_modes) == "llmzip: a: permission denied"
    assert llmzip.names() == ["a"]


def test_folder_that_cannot_be_written(llmzip: Shell) -> None:
    llmzip.write("sub/a", CONTENT).chmod(0o444)
    (llmzip.folder / "sub").chmod(0o555)
    line = llmzip.fails("sub/a", preexec_fn=obey_modes)
    assert line == "llmzip: sub/a.llmz: permission denied"
    (llmzip.folder / "sub").chmod(0o755)
    assert llmzip.names() == ["sub", "sub/a"]


def test_output_folder_is_missing(llmzip: Shell) -> None:
    llmzip.write("a", CONTENT)
    line = llmzip.fails("-o", "nowhere/b.llmz", "a")
    assert line == "llmzip: nowhere/b.llmz: no such file or folder"
    assert "no such file or folder" in llmzip.fails("--output-dir", "nowhere", "a")
    assert llmzip.names() == ["a"]


def test_output_is_a_folder(llmzip: Shell) -> None:
    llmzip.write("a", CONTENT)
    (llmzip.folder / "out").mkdir()
    assert "--output-dir" in llmzip.fails("-f", "-o", "out", "a")
    llmzip("--output-dir", "out", "a")
    assert llmzip.names() == ["a", "out", "out/a.llmz"]


@pytest.mark.parametrize("verb", ["compress", "decompress", "test", "list"])
def test_folder_without_r(llmzip: Shell, verb: str) -> None:
    llmzip.write("sub/a", CONTENT)
    line = llmzip.fails(verb, "sub")
    assert "folder" in line and "-r" in line
    assert ("tar -I llmzip" in line) is (verb == "compress")
    assert llmzip.names() == ["sub", "sub/a"]


def test_recursive(llmzip: Shell) -> None:
    for name in ("top/a", "top/deep/er/b", "top/c.llmz", "top/.hidden", "top/empty"):
        llmzip.write(name, b"" if name == "top/empty" else CONTENT)
    (llmzip.folder / "top/link").symlink_to("a")
    (llmzip.folder / "top/loop").symlink_to(".")
    os.mkfifo(llmzip.folder / "top/fifo")
    before = set(llmzip.names())
    llmzip("-r", "top")
    made = {"top/a.llmz", "top/deep/er/b.llmz", "top/.hidden.llmz", "top/empty.llmz"}
    assert set(llmzip.names()) == before | made
    for name in made:
        (llmzip.folder / name.removesuffix(".llmz")).unlink()
    (llmzip.folder / "top/c.llmz").unlink()
    llmzip("-t", "-r", "top")
    llmzip("-d", "-r", "--rm", "top")
    assert set(llmzip.names()) == before - {"top/c.llmz"}
    assert (llmzip.folder / "top/deep/er/b").read_bytes() == CONTENT


def test_recursive_into_another_folder_keeps_the_tree(llmzip: Shell) -> None:
    llmzip.write("top/a", CONTENT)
    llmzip.write("top/deep/a", CONTENT[::-1])
    (llmzip.folder / "out").mkdir()
    llmzip("-r", "--output-dir", "out", "top")
    assert {"out/top/a.llmz", "out/top/deep/a.llmz"} <= set(llmzip.names())
    assert llmzip("-dc", "out/top/deep/a.llmz").stdout == CONTENT[::-1]


def test_recursive_goes_on_after_a_failure(llmzip: Shell) -> None:
    llmzip.write("top/a", CONTENT)
    llmzip.write("top/a.llmz", b"in the way")
    llmzip.write("top/b", CONTENT)
    assert "top/a.llmz exists" in llmzip.fails("-r", "top")
    assert "top/b.llmz" in llmzip.names()


def test_links_are_skipped_unless_asked_for(llmzip: Shell) -> None:
    llmzip.write("a", CONTENT)
    (llmzip.folder / "link").symlink_to("a")
    line = llmzip.fails("link")
    assert "symbolic link" in line and "-f" in line
    assert llmzip.names() == ["a", "link"]
    assert llmzip("-dc", stdin=llmzip("-c", "link").stdout).stdout == CONTENT
    llmzip("-f", "link")
    llmzip("-d", "-o", "b", "link.llmz")
    assert (llmzip.folder / "b").read_bytes() == CONTENT
    assert (llmzip.folder / "link").is_symlink()


def test_link_to_a_folder(llmzip: Shell) -> None:
    (llmzip.folder / "sub").mkdir()
    (llmzip.folder / "link").symlink_to("sub")
    assert "folder" in llmzip.fails("-f", "link")


def test_fifo_is_read_only_where_the_output_is_named(llmzip: Shell) -> None:
    os.mkfifo(llmzip.folder / "fifo")
    assert "not a regular file" in llmzip.fails("fifo")
    job = llmzip.start("-c", "fifo")
    (llmzip.folder / "fifo").write_bytes(CONTENT)
    packed, errors = job.communicate(timeout=60)
    assert (job.returncode, errors) == (0, b"")
    assert llmzip("-dc", stdin=packed).stdout == CONTENT


def test_hard_links_and_rm(llmzip: Shell) -> None:
    source = llmzip.write("a", CONTENT)
    os.link(source, llmzip.folder / "b")
    assert "2 hard links" in llmzip.fails("--rm", "a")
    assert llmzip.names() == ["a", "b"]
    llmzip("--rm", "-f", "a")
    assert llmzip.names() == ["a.llmz", "b"]
    llmzip("b")


def test_archive_is_not_compressed_again_by_accident(llmzip: Shell) -> None:
    llmzip.write("a", CONTENT)
    llmzip("a")
    assert "-f" in llmzip.fails("a.llmz")
    llmzip("-f", "a.llmz")
    assert llmzip("-dc", "a.llmz.llmz").stdout == (llmzip.folder / "a.llmz").read_bytes()


def test_decompress_needs_a_name_to_write_to(llmzip: Shell) -> None:
    packed = llmzip(stdin=CONTENT).stdout
    for name in ("archive", ".llmz"):
        llmzip.write(name, packed)
        line = llmzip.fails("-d", name)
        assert "-o FILE" in line and "-c" in line
        assert llmzip("-dc", name).stdout == CONTENT
    llmzip("-d", "-o", "out", "archive")
    assert (llmzip.folder / "out").read_bytes() == CONTENT
    assert llmzip.names() == [".llmz", "archive", "out"]


def test_concatenated_archives_decode_as_one(llmzip: Shell) -> None:
    parts = [llmzip(stdin=part).stdout for part in (b"one ", b"", b"two ", CONTENT)]
    llmzip.write("all.llmz", b"".join(parts))
    assert llmzip("-dc", "all.llmz").stdout == b"one two " + CONTENT
    assert llmzip("-dc", stdin=b"".join(parts)).stdout == b"one two " + CONTENT
    told = json.loads(llmzip("test", "--json", "all.llmz").stdout)
    assert told["archives"] == 4 and told["raw_bytes"] == len(CONTENT) + 8


@pytest.mark.parametrize("damage", ["junk behind", "cut", "flipped", "plain tar", "empty", "gzip"])
def test_bad_archives_are_refused_and_leave_nothing(llmzip: Shell, damage: str) -> None:
    packed = llmzip(stdin=CONTENT).stdout
    middle = len(packed) // 2
    tar = subprocess.run(["tar", "-cf", "-", "/dev/null"], capture_output=True).stdout
    bad = {
        "junk behind": packed + b"junk",
        "cut": packed[:-5],
        "flipped": packed[:middle] + bytes([packed[middle] ^ 4]) + packed[middle + 1 :],
        "plain tar": tar,
        "empty": b"",
        "gzip": b"\x1f\x8b\x08\x00" + bytes(100),
    }[damage]
    if damage == "plain tar" and len(tar) < 512:
        pytest.skip("no tar here")
    path = llmzip.write("bad.llmz", bad)
    for arguments in (["-d"], ["-t"], ["-t", "--quick"]):
        line = llmzip.fails(*arguments, "bad.llmz")
        assert line.startswith("llmzip: bad.llmz: ")
        if damage in ("plain tar", "gzip"):
            assert damage.removeprefix("plain ") in line
    llmzip.fails("-d", stdin=bad)
    assert llmzip.names() == ["bad.llmz"]
    assert path.read_bytes() == bad


def test_file_names_that_are_no_text(llmzip: Shell) -> None:
    name = b"\xff\xfe\n\x1b[31m"
    (llmzip.folder / os.fsdecode(name)).write_bytes(CONTENT)
    llmzip(name)
    line = llmzip.fails(name)
    assert "\\xff\\xfe\\x0a\\x1b[31m.llmz exists" in line
    shown = llmzip("list", name + b".llmz", env={"LC_ALL": "C"}).stdout
    assert b"\\xff\\xfe\\x0a\\x1b[31m" in shown and b"\x1b" not in shown
    assert json.loads(llmzip("list", "--json", name + b".llmz").stdout)["file"] == (
        os.fsdecode(name) + ".llmz"
    )


def test_after_a_partial_output_nothing_follows(llmzip: Shell) -> None:
    good = llmzip(stdin=CONTENT).stdout
    big = llmzip("-p", "store", stdin=os.urandom(3 << 20)).stdout
    llmzip.write("bad.llmz", big[:-100])
    llmzip.write("good.llmz", good)
    done = llmzip("-dc", "bad.llmz", "good.llmz", code=1)
    assert CONTENT not in done.stdout
    assert b"left out" in done.stderr
    done = llmzip("-dc", "missing.llmz", "good.llmz", code=1)
    assert done.stdout == CONTENT
