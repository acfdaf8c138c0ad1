"""What the commands tell: list, test, recover, -v, --json."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from llmzip.archive import write_archive
from llmzip.options import Options

from .conftest import Shell

CONTENT = b"say what you did, and did you what you say\n" * 100


def objects(stdout: bytes) -> list[dict[str, Any]]:
    """One JSON object from each line."""
    return [json.loads(line) for line in stdout.decode().splitlines()]


def make(path: Path, content: bytes, **options: Any) -> None:
    """An archive with options that the command line does not have."""
    with path.with_suffix(".raw").open("wb+") as source, path.open("wb") as sink:
        source.write(content)
        source.seek(0)
        write_archive(source, sink, Options(**options))
    path.with_suffix(".raw").unlink()


def test_list_for_people(llmzip: Shell) -> None:
    make(llmzip.folder / "a.llmz", CONTENT, segment_size=2000, comment="a remark", level=5)
    shown = llmzip("list", "a.llmz").stdout.decode()
    size = (llmzip.folder / "a.llmz").stat().st_size
    assert shown.splitlines()[0] == "a.llmz"
    for part in (
        f"{len(CONTENT):,} bytes in {size:,}, {8 * size / len(CONTENT):.3f} bits/byte",
        f"ratio {len(CONTENT) / size:.3f}",
        "level 5",
        "format      1.0",
        "predictors",
        "segments    3",
        "to decode a segment",
        "xxh3",
        "comment     a remark",
    ):
        assert part in shown
    assert len(llmzip("list", "-v", "a.llmz").stdout.splitlines()) == len(shown.splitlines()) + 4
    assert llmzip("list", stdin=(llmzip.folder / "a.llmz").read_bytes()).stdout.decode() == (
        shown.replace("a.llmz", "standard input")
    )


def test_list_escapes_what_the_archive_says(llmzip: Shell) -> None:
    make(llmzip.folder / "a.llmz", CONTENT, comment="\x1b[2Jred\x07\n\u202ebidi\u2028")
    shown = llmzip("list", "a.llmz").stdout.decode()
    assert "\\x1b[2Jred\\x07\\x0a\\u202ebidi\\u2028" in shown
    assert all(character.isprintable() or character == "\n" for character in shown)


def test_list_several_files_and_archives(llmzip: Shell) -> None:
    one = llmzip(stdin=CONTENT).stdout
    empty = llmzip(stdin=b"").stdout
    llmzip.write("a.llmz", one + empty)
    llmzip.write("b.llmz", empty)
    done = llmzip("list", "a.llmz", "missing", "b.llmz", code=1)
    shown = done.stdout.decode()
    assert "archive 2 of 2, at byte" in shown and "2 archives" in shown and "\nb.llmz\n" in shown
    assert done.stderr.decode() == "llmzip: missing: no such file or folder\n"


def test_list_needs_no_predictor(llmzip: Shell) -> None:
    make(llmzip.folder / "a.llmz", CONTENT)
    script = (
        "import sys; from llmzip import _native; _native.predictors = lambda: []; "
        "_native.Decoder = None; sys.argv[0] = 'llmzip'; "
        "from llmzip.__main__ import main; sys.exit(main())"
    )

    def run(verb: str) -> int:
        command = [sys.executable, "-c", script, verb, "a.llmz"]
        return subprocess.run(command, cwd=llmzip.folder, capture_output=True).returncode

    assert run("list") == 0
    assert run("test") == 3


def test_list_in_json(llmzip: Shell) -> None:
    make(llmzip.folder / "a.llmz", CONTENT, segment_size=3000, comment="\x1b")
    (told,) = objects(llmzip("-l", "--json", "a.llmz").stdout)
    assert told["ok"] and told["command"] == "list" and told["file"] == "a.llmz"
    assert told["raw_bytes"] == len(CONTENT)
    (archive,) = told["archives"]
    assert (archive["format"], archive["level"], archive["comment"]) == ("1.0", 6, "\x1b")
    assert [s["raw_len"] for s in archive["segments"]] == [3000, 1300]


def test_compress_and_decompress_in_json(llmzip: Shell) -> None:
    llmzip.write("a", CONTENT)
    llmzip.write("b", b"")
    done = llmzip("--json", "a", "missing", "b", code=1)
    first, second, third = objects(done.stdout)
    size = (llmzip.folder / "a.llmz").stat().st_size
    assert first["ok"] and first["file"] == "a" and first["output"] == "a.llmz"
    assert (first["raw_bytes"], first["archive_bytes"]) == (len(CONTENT), size)
    assert first["bits_per_byte"] == pytest.approx(8 * size / len(CONTENT), abs=1e-6)
    assert first["segments"] == 1 and first["predictors"]
    assert not second["ok"] and second["file"] == "missing"
    assert second["error"]["kind"] == "missing" and second["error"]["exit_code"] == 1
    assert third["ok"] and third["bits_per_byte"] is None and third["segments"] == 0
    (llmzip.folder / "a").unlink()
    (told,) = objects(llmzip("-d", "--json", "a.llmz").stdout)
    assert told["command"] == "decompress" and told["output"] == "a"


@pytest.mark.parametrize(
    ("content", "arguments", "kind", "code"),
    [
        (CONTENT, [], "not-an-archive", 1),
        ("cut", [], "truncated", 1),
        ("flip", [], "corrupt", 1),
        ("whole", ["-M", "1"], "limit", 3),
    ],
)
def test_kinds_of_errors_in_json(
    llmzip: Shell, content: bytes | str, arguments: list[str], kind: str, code: int
) -> None:
    whole = llmzip(stdin=CONTENT).stdout
    half = len(whole) // 2
    changed = {
        "cut": whole[:half],
        "flip": whole[:half] + bytes([whole[half] ^ 1]) + whole[half + 1 :],
        "whole": whole,
    }
    llmzip.write("a.llmz", changed[content] if isinstance(content, str) else content)
    done = llmzip("test", "--json", *arguments, "a.llmz", code=code)
    (told,) = objects(done.stdout)
    assert told["error"]["kind"] == kind
    assert told["error"]["message"] in done.stderr.decode()


def test_quick_test_sees_coded_bytes_only(llmzip: Shell) -> None:
    make(llmzip.folder / "a.llmz", CONTENT)
    (told,) = objects(llmzip("test", "--quick", "--json", "a.llmz").stdout)
    assert told["quick"] and told["raw_bytes"] == len(CONTENT)
    bad = bytearray((llmzip.folder / "a.llmz").read_bytes())
    bad[len(bad) // 2] ^= 1
    (llmzip.folder / "a.llmz").write_bytes(bad)
    llmzip.fails("test", "--quick", "a.llmz")


def test_quiet_and_verbose(llmzip: Shell) -> None:
    llmzip.write("a", CONTENT)
    said = llmzip("-v", "a").stderr.decode()
    assert said.startswith(f"llmzip: a: {len(CONTENT):,} bytes as ") and said.endswith("a.llmz\n")
    assert llmzip("-q", "-f", "a").stderr == b""
    assert b"exists" in llmzip("-q", "a", code=1).stderr
    assert llmzip("-qq", "a", code=1).stderr == b""
    assert b"ok; " in llmzip("-tv", "a.llmz").stderr


def test_fewer_threads_are_a_notice_that_changes_nothing(llmzip: Shell) -> None:
    llmzip.write("a", bytes(34 << 20))
    said = llmzip("-v", "-1", "-T4", "-M", "128M", "a").stderr.decode()
    assert "of 4 threads used" in said
    assert llmzip("-f", "-1", "-T4", "-M", "128M", "a").stderr == b""


def broken_archive(llmzip: Shell) -> bytes:
    """Three segments of 2,000 bytes, of which the second is damaged; returns the other two."""
    content = bytes(range(250)) * 24
    make(llmzip.folder / "a.llmz", content, segment_size=2000)
    (told,) = objects(llmzip("list", "--json", "a.llmz").stdout)
    second = told["archives"][0]["segments"][1]
    data = bytearray((llmzip.folder / "a.llmz").read_bytes())
    data[second["offset"] + second["length"] - 3] ^= 1
    (llmzip.folder / "a.llmz").write_bytes(data)
    return content[:2000] + content[4000:]


def test_recover_writes_the_rest_and_says_what_is_lost(llmzip: Shell) -> None:
    rest = broken_archive(llmzip)
    llmzip.fails("-d", "a.llmz")
    done = llmzip("recover", "a.llmz", "-o", "out", code=1)
    assert (llmzip.folder / "out").read_bytes() == rest
    lines = done.stderr.decode().splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("llmzip: a.llmz: lost: segment 1 ") and "2,000 bytes" in lines[0]
    assert "4,000 bytes from 2 of 3 segments" in lines[1] and "out" in lines[1]
    assert "exists" in llmzip.fails("recover", "a.llmz", "-o", "out")
    assert llmzip("recover", "-c", "a.llmz", code=1).stdout == rest
    done = llmzip("recover", "--json", "-f", "a.llmz", "-o", "out", code=1)
    (told,) = objects(done.stdout)
    assert not told["ok"] and told["error"]["kind"] == "lost" and told["output"] == "out"
    assert (told["segments_found"], told["segments_written"]) == (3, 2)
    assert told["lost"][0]["first"] == 1 and told["lost"][0]["bytes"] == 2000


def test_recover_of_a_whole_archive(llmzip: Shell) -> None:
    llmzip.write("a", CONTENT)
    llmzip("a")
    done = llmzip("recover", "-v", "a.llmz", "-o", "out")
    assert b"nothing lost" in done.stderr
    assert (llmzip.folder / "out").read_bytes() == CONTENT
    assert (llmzip.folder / "out").stat().st_mtime_ns == (llmzip.folder / "a").stat().st_mtime_ns


def test_recover_of_nothing_leaves_nothing(llmzip: Shell) -> None:
    llmzip.write("a.llmz", CONTENT)
    llmzip.fails("recover", "a.llmz", "-o", "out")
    llmzip.fails("recover", "missing", "-o", "out")
    assert "one of the inputs" in llmzip.fails("recover", "-f", "a.llmz", "-o", "a.llmz")
    whole = llmzip("-p", "zstd", stdin=CONTENT).stdout
    llmzip.write("b.llmz", whole[: len(whole) // 3])
    llmzip("recover", "b.llmz", "-o", "out", code=1)
    assert llmzip.names() == ["a.llmz", "b.llmz"]


def test_recover_needs_a_file(llmzip: Shell) -> None:
    whole = llmzip(stdin=CONTENT).stdout
    assert "give it a file" in llmzip.fails("recover", "-", "-o", "out", stdin=whole, code=2)
    assert llmzip.names() == []


def run_with_rates(llmzip: Shell, rates: str, *arguments: str) -> str:
    """Run llmzip as if these speeds, in bytes a second, had been measured."""
    script = (
        "import sys; from llmzip import _native, estimate; from llmzip.__main__ import main; "
        f"estimate._RATES = {{p[0]: {rates} for p in _native.predictors()}}; "
        "sys.argv[0] = 'llmzip'; sys.exit(main())"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        cwd=llmzip.folder,
        capture_output=True,
        stdin=subprocess.DEVNULL,
        timeout=60,
    )
    assert done.returncode == 0, done
    return done.stderr.decode()


def test_long_jobs_say_so_beforehand(llmzip: Shell) -> None:
    llmzip.write("a", bytes(3600_00))
    said = run_with_rates(llmzip, "{8: 100, 7: 150, 5: 36_000}", "-v", "-8", "a")
    first = said.splitlines()[0]
    assert first.startswith("llmzip: a: about 2.0 h and ")
    assert "at level 8; -5 takes about 20 s" in first
    said = run_with_rates(llmzip, "{8: 100}", "-v", "-8f", "--no-verify", "a")
    assert said.startswith("llmzip: a: about 60 min and ") and "; -" not in said.splitlines()[0]
    assert "about" not in run_with_rates(llmzip, "{8: 36_000}", "-v", "-8f", "a")
    assert run_with_rates(llmzip, "{8: 100}", "-8f", "a") == ""


def test_what_a_file_of_tensors_will_take(llmzip: Shell) -> None:
    """The speed of the predictor that its segments get counts, not of the one for other content."""
    table = {"w": {"dtype": "F32", "shape": [90_000], "data_offsets": [0, 360_000]}}
    text = json.dumps(table).encode()
    weights = b"".join((i * 40503 % 99991).to_bytes(4, "little") for i in range(90_000))
    llmzip.write("model.st", len(text).to_bytes(8, "little") + text + weights)
    rates = "{6: {'tensor': 100_000}.get(p[0], 100), 5: 100}"
    assert "about" not in run_with_rates(llmzip, rates, "-v", "model.st")
    rates = "{6: {'tensor': 200}.get(p[0], 100), 5: {'tensor': 100_000}.get(p[0], 100)}"
    first = run_with_rates(llmzip, rates, "-vf", "model.st").splitlines()[0]
    assert first.startswith("llmzip: model.st: about 60 min and ")
    assert "at level 6; -5 takes about 7 s" in first
    assert llmzip("-dc", "model.st.llmz").stdout == (llmzip.folder / "model.st").read_bytes()
