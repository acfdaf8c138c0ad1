"""`llmzip measure`: archives of llmzip, beside a fake compressor that notes when it is called."""

from __future__ import annotations

import contextlib
import csv
import fcntl
import json
import os
import pty
import signal
import stat
import struct
import subprocess
import termios
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from llmzip.measure import Run

from .conftest import Shell

# Puts 4 bytes in front and takes them away again; `lpaq8 9 IN OUT` and `lpaq8 d IN OUT`.
FAKE = """\
#!/bin/sh
echo "$1" >>{log}
if [ -e {log}.hang ]; then touch {log}.hangs; exec sleep 60; fi
case $1 in
d) tail -c +{skip} "$2" >"$3" ;;
*) { printf FAKE; cat "$2"; } >"$3" ;;
esac
"""

TEXT = b"Call me Ishmael. Some years ago, never mind how long precisely.\n" * 40


@dataclass
class Measure:
    """llmzip measure, with a cache and a PATH of its own."""

    llmzip: Shell
    bin: Path
    cache: Path

    @property
    def log(self) -> Path:
        return self.bin / "log"

    def fake(self, skip: int = 5) -> None:
        """Installs the fake; with another `skip` it loses content."""
        path = self.bin / "lpaq8"
        text = FAKE.replace("{log}", str(self.log)).replace("{skip}", str(skip))
        path.write_text(text)
        path.chmod(0o755)

    @property
    def calls(self) -> int:
        return len(self.log.read_text().split()) if self.log.exists() else 0

    @property
    def environment(self) -> dict[str, str]:
        return {"PATH": f"{self.bin}:{os.environ['PATH']}", "LLMZIP_CACHE": str(self.cache)}

    def __call__(self, *arguments: str, code: int = 0) -> str:
        done = self.llmzip("measure", *arguments, code=code, env=self.environment)
        return done.stdout.decode()

    def run(self, *arguments: str, code: int = 0) -> Run:
        facts = json.loads(self("--json", *arguments, code=code).splitlines()[-1])
        assert facts["ok"] and facts["command"] == "measure"
        return Run.from_dict(facts)

    def complaints(self, *arguments: str, code: int) -> list[str]:
        done = self.llmzip("measure", *arguments, code=code, env=self.environment)
        return done.stderr.decode().splitlines()


@pytest.fixture
def measure(llmzip: Shell, tmp_path_factory: pytest.TempPathFactory) -> Measure:
    aside = tmp_path_factory.mktemp("aside")
    (aside / "bin").mkdir()
    made = Measure(llmzip, aside / "bin", aside / "cache")
    made.fake()
    return made


def test_sizes_are_those_of_archives(measure: Measure) -> None:
    measure.llmzip.write("a.txt", TEXT)
    measure.llmzip("-6", "a.txt")
    size = (measure.llmzip.folder / "a.txt.llmz").stat().st_size
    found = measure.run("--with", "llmzip,lpaq8", "a.txt")
    own, fake = found.measured()
    assert (own.compressor, own.archive_bytes) == ("llmzip -6", size)
    assert (fake.compressor, fake.archive_bytes) == ("lpaq8 9", len(TEXT) + 4)
    assert own.compress.cpu > 0 and own.decompress.wall > 0 and own.compress.peak > 5000
    assert measure.calls == 2 * 3  # The file and two checks.


def test_table_has_everyone_smallest_first(measure: Measure) -> None:
    measure.llmzip.write("a.txt", TEXT)
    shown = measure("--with", "lpaq8,llmzip,paq8px", "a.txt")
    lines = [line for line in shown.split("as a check")[0].splitlines() if line.startswith("  ")]
    assert [line.split("  ")[1] for line in lines[:4]] == [
        *("compressor", "llmzip -6", "lpaq8 9", "paq8px -8")
    ]
    assert "paq8px -8: not installed" in shown
    assert f"{len(TEXT) + 4:,}" in lines[2]
    assert "one thread" in shown and "decoded and compared" in shown


def test_every_file_with_v(measure: Measure) -> None:
    measure.llmzip.write("a.txt", TEXT)
    measure.llmzip.write("b.txt", TEXT[::-1])
    assert f"{len(TEXT):,} bytes\n" not in measure("--with=lpaq8", "a.txt", "b.txt")
    shown = measure("--with=lpaq8", "a.txt", "b.txt", "-v")
    for line in (f"a.txt, {len(TEXT):,} bytes", f"b.txt, {len(TEXT):,} bytes", "2 files, "):
        assert line in shown


def test_checks_are_apart(measure: Measure) -> None:
    measure.llmzip.write("a.txt", TEXT)
    found = measure.run("--with=-6,lpaq8", "a.txt")
    assert [total.raw_bytes for total in found.totals()] == [len(TEXT)] * 2
    by_name = {(one.file, one.spec): one for one in found.checks()}
    random = by_name["random bytes", "llmzip:6"]
    assert random.raw_bytes == 64 << 10
    assert 0 < random.archive_bytes - random.raw_bytes < 400
    coded = by_name["beginning of a.txt, by xz", "lpaq8:9"]
    assert coded.raw_bytes < len(TEXT) and coded.archive_bytes == coded.raw_bytes + 4


def test_what_was_measured_is_kept(measure: Measure) -> None:
    measure.llmzip.write("a.txt", TEXT)
    arguments = ("--with=-6,lpaq8", "a.txt")
    first = measure.run(*arguments)
    calls = measure.calls
    start = time.monotonic()
    again = measure.run(*arguments)
    assert time.monotonic() - start < 2.0
    assert measure.calls == calls
    assert all(one.kept for one in again.results) and not any(one.kept for one in first.results)
    assert tuple(one.replace(kept=False) for one in again.results) == first.results
    assert "all of the results" in measure(*arguments)
    # Under another name it is the same content.
    (measure.llmzip.folder / "a.txt").rename(measure.llmzip.folder / "b.txt")
    moved = measure.run("--with=lpaq8", "b.txt").measured()[0]
    assert (moved.file, moved.kept) == ("b.txt", True)
    measure.run(*arguments[:1], "b.txt", "--again")
    assert measure.calls == 2 * calls


def change_file(measure: Measure) -> tuple[str, ...]:
    measure.llmzip.write("a.txt", TEXT + b".")
    return ("--with=lpaq8",)


def change_program(measure: Measure) -> tuple[str, ...]:
    path = measure.bin / "lpaq8"
    path.write_text(path.read_text() + "# another build\n")
    return ("--with=lpaq8",)


def change_option(measure: Measure) -> tuple[str, ...]:
    return ("--with=lpaq8:8",)


def damage_cache(measure: Measure) -> tuple[str, ...]:
    for path in (measure.cache / "measure").iterdir():
        path.write_bytes(path.read_bytes()[: len(TEXT) // 99])
    return ("--with=lpaq8",)


@pytest.mark.parametrize("change", [change_file, change_program, change_option, damage_cache])
def test_what_changed_is_measured_again(
    measure: Measure, change: Callable[[Measure], tuple[str, ...]]
) -> None:
    measure.llmzip.write("a.txt", TEXT)
    measure.run("--with=lpaq8", "a.txt")
    found = measure.run(*change(measure), "a.txt")
    assert not found.measured()[0].kept


def test_a_failure_has_no_numbers_and_is_not_kept(measure: Measure) -> None:
    measure.llmzip.write("a.txt", TEXT)
    measure.llmzip.write("b.txt", TEXT)
    measure.fake(skip=6)
    found = measure.run("--with=-1,lpaq8", "a.txt", code=1)
    own, fake = found.measured()
    assert own.ok
    assert (fake.status, fake.archive_bytes) == ("decodes to other bytes", 0)
    shown = measure("--with=-1,lpaq8", "a.txt", code=1)
    assert "lpaq8 9: decodes to other bytes" in shown
    measure.fake()
    assert all(one.ok for one in measure.run("--with=-1,lpaq8", "a.txt").results)


def test_bad_inputs_have_a_line_each_and_the_rest_goes_on(measure: Measure) -> None:
    measure.llmzip.write("a.txt", TEXT)
    measure.llmzip.write("empty", b"")
    os.mkfifo(measure.llmzip.folder / "pipe")
    arguments = ("--with=lpaq8", "gone/x", "empty", "pipe", "a.txt")
    said = measure.complaints(*arguments, code=1)
    assert [line.split(": ")[1] for line in said] == ["gone/x", "empty", "pipe"]
    assert "no such file" in said[0] and "is empty" in said[1] and "no regular file" in said[2]
    assert [one.file for one in measure.run(*arguments, code=1).measured()] == ["a.txt"]


def test_a_model_that_is_not_here(measure: Measure) -> None:
    measure.llmzip.write("a.txt", TEXT)
    said = measure.complaints("--with=lpaq8,llm:nobody", "a.txt", code=3)
    assert len(said) == 1 and "llmzip -6 -m nobody" in said[0] and "no such model" in said[0]
    found = measure.run("--with=lpaq8,llm:nobody", "a.txt", code=3)
    assert [one.status for one in found.measured()] == ["ok", "its model is not here"]


def test_with_a_model_it_is_counted(measure: Measure) -> None:
    rows = "".join(f"{n % 7},{'ab'[n % 2]},{'xyz'[n % 3]}\n" for n in range(4000))
    measure.llmzip.write("rows.csv", rows.encode())
    measure.llmzip("train", "rows.csv", "-o", "rows.pc", "--passes", "2", "--states", "4")
    model = (measure.llmzip.folder / "rows.pc").stat().st_size
    found = measure.run("--with=circuit:rows.pc,xz,gzip", "rows.csv")
    own = found.measured()[0]
    assert own.model_bytes == model and own.adjusted_bytes == own.archive_bytes + model
    (total,) = (one for one in found.totals() if one.spec == own.spec)
    assert total.adjusted_bytes == own.adjusted_bytes
    shown = measure("--with=circuit:rows.pc,xz", "rows.csv")
    assert "adjusted" in shown and f"{own.adjusted_bytes:,}" in shown


def test_bits_along_the_file_add_up(measure: Measure) -> None:
    data = bytes(n * n % 251 for n in range(3000)) + TEXT
    measure.llmzip.write("a.bin", data)
    found = measure.run("--with=-6,cm:3,-1,lpaq8", "a.bin").measured()
    for one in found[:3]:
        ends = [at for at, _ in one.along[1:]] + [len(data)]
        coded = sum(bits * (end - at) / 8 for (at, bits), end in zip(one.along, ends, strict=True))
        # Header, index and footer are in no piece.
        assert 60 < one.archive_bytes - coded < 160, one.spec
    assert [len(one.along) > 10 for one in found] == [True, True, False, False]
    assert found[3].along == ()


def test_folders_and_names(measure: Measure) -> None:
    for name in ("in/a.txt", "in/deep/a.txt", "in/deep/b.txt", "a.txt", "in/-rf"):
        measure.llmzip.write(name, TEXT + name.encode())
    found = measure.run("--with=lpaq8", "in", "a.txt", "in/a.txt")
    assert [one.file for one in found.measured()] == ["-rf", "in/a.txt", "a.txt"]
    deep = measure.run("--with=lpaq8", "-r", "in").measured()
    assert [one.file for one in deep] == ["-rf", "a.txt", "deep/a.txt", "deep/b.txt"]


def test_csv_has_a_row_for_each_result(measure: Measure) -> None:
    measure.llmzip.write("a.txt", TEXT)
    measure("--with=lpaq8,paq8px", "--csv", "out.csv", "a.txt")
    with open(measure.llmzip.folder / "out.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["compressor"] for row in rows] == ["lpaq8 9", "paq8px -8"] * 3
    assert rows[0]["archive_bytes"] == str(len(TEXT) + 4) and rows[0]["check"] == "0"
    assert float(rows[0]["bits_per_byte"]) == pytest.approx(8 * (len(TEXT) + 4) / len(TEXT))
    assert rows[1]["status"] == "not installed" and rows[1]["compress_cpu"] == ""


def test_report_is_one_page(measure: Measure) -> None:
    measure.llmzip.write("a.txt", TEXT)
    measure("--with=lpaq8", "--report", "out.html", "a.txt")
    text = (measure.llmzip.folder / "out.html").read_text()
    assert text.startswith("<!doctype html>") and "lpaq8 9" in text
    assert "http://www.w3.org" in text and "src=" not in text and "@data@" not in text


@pytest.mark.parametrize("option", ["--csv", "--report"])
def test_outputs_are_not_overwritten_nor_left_half(measure: Measure, option: str) -> None:
    measure.llmzip.write("a.txt", TEXT)
    old = measure.llmzip.write("old", b"mine")
    said = measure.complaints("--with=lpaq8", option, "old", "a.txt", code=1)
    assert len(said) == 1 and "-f overwrites" in said[0]
    assert measure.calls == 0, "measured before it looked"
    assert measure.complaints("--with=lpaq8", option, "a.txt", "-f", "a.txt", code=1)
    assert measure.calls == 0 and (measure.llmzip.folder / "a.txt").read_bytes() == TEXT
    assert measure.complaints("--with=lpaq8", option, "a.txt", "-f", ".", code=1)
    assert (measure.llmzip.folder / "a.txt").read_bytes() == TEXT
    measure("--with=lpaq8", option, "old", "-f", "a.txt")
    assert old.read_bytes() != b"mine"
    measure.complaints("--with=lpaq8", option, "new", "gone", code=1)
    assert "new" not in measure.llmzip.names()


def test_ctrl_c_keeps_what_is_done(measure: Measure) -> None:
    measure.llmzip.write("a.txt", TEXT)
    measure.llmzip.write("b.txt", TEXT[1:])
    measure.run("--with=lpaq8", "a.txt")
    Path(f"{measure.log}.hang").touch()
    child = subprocess.Popen(
        [str(_program()), "measure", "--with=-1,lpaq8", "a.txt", "b.txt", "--csv", "out.csv"],
        cwd=measure.llmzip.folder,
        env=Shell.environment(measure.environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    hangs = Path(f"{measure.log}.hangs")
    end = time.monotonic() + 60
    while not hangs.exists() and time.monotonic() < end:
        time.sleep(0.05)
    child.send_signal(signal.SIGINT)
    out, errors = child.communicate(timeout=60)
    assert child.returncode == 130 and out == b""
    assert b"are done and kept" in errors and b"interrupted" in errors
    assert measure.llmzip.names() == ["a.txt", "b.txt"]
    Path(f"{measure.log}.hang").unlink()
    found = measure.run("--with=-1,lpaq8", "a.txt", "b.txt").measured()
    assert [one.kept for one in found] == [True, True, True, False]


def _program() -> Path:
    from .conftest import PROGRAM

    return PROGRAM


def test_progress_on_a_terminal(measure: Measure) -> None:
    measure.llmzip.write("a.txt", TEXT)
    measure.llmzip.write("b.txt", TEXT[1:])
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 120, 0, 0))
    arguments = ("measure", "--with=lpaq8", "a.txt", "b.txt")
    measure.llmzip(*arguments, env=measure.environment, stderr=slave)
    os.close(slave)
    shown = b""
    with contextlib.suppress(OSError):
        while piece := os.read(master, 4096):
            shown += piece
    os.close(master)
    frames = shown.decode().split("\r")
    first = next(frame for frame in frames if "a.txt" in frame)
    second = next(frame for frame in frames if "b.txt" in frame)
    assert first.startswith("0 of 4  lpaq8 9  a.txt") and "left" not in first
    assert second.startswith("1 of 4, about 0:0") and "left  lpaq8 9  b.txt" in second
    assert frames[-1] == "\x1b[K", "the line is not taken away"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "measure needs files"),
        (("-",), "standard input"),
        (("--with=nonesuch", "a.txt"), "nonesuch"),
        (("--with=xz:7zz", "a.txt"), "'7zz' is no option of xz"),
        (("--with=cm:10", "a.txt"), "a level from 1 to 9"),
        (("--with=,", "a.txt"), "names no compressor"),
        (("--with=llm:", "a.txt"), "needs a model"),
        (("--with=llm:x:1", "a.txt"), "level 3 or more"),
        (("--csv=x", "--report=x", "a.txt"), "the same file"),
        (("-o", "x", "a.txt"), "not known"),
    ],
)
def test_usage(measure: Measure, arguments: tuple[str, ...], said: str) -> None:
    measure.llmzip.write("a.txt", TEXT)
    lines = measure.complaints(*arguments, code=2)
    assert len(lines) == 1 and said in lines[0]


def test_the_users_own_options_of_peers_do_not_count(measure: Measure) -> None:
    path = measure.bin / "xz"
    path.write_text(f'#!/bin/sh\nenv >{measure.log}.env\nexec cat "$(eval echo \\$$#)"\n')
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    measure.llmzip.write("a.txt", TEXT)
    env = measure.environment | {"XZ_OPT": "-0", "LLMZIP_SIMD": "scalar"}
    measure.llmzip("measure", "--with=xz", "a.txt", env=env)
    seen = Path(f"{measure.log}.env").read_text()
    assert "XZ_OPT" not in seen and "LLMZIP_SIMD=scalar" in seen
