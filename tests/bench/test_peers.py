"""bench/peers.py against a fake compressor: what it measures, what it does not call a result."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[2] / "bench"

# Codes by putting 4 bytes in front; `mode` makes it misbehave.
FAKE = """\
import pathlib, sys, time
mode, verb, source, target = sys.argv[1:]
data = pathlib.Path(source).read_bytes()
if mode == "exits":
    sys.exit("fake: no room left")
if mode == "hangs":
    time.sleep(60)
if verb == "c":
    data = b"FAKE" + data
else:
    data = data[4:] if mode != "loses" else data[4:-1]
if mode == "works" and verb == "c":
    ballast = bytearray(b"x" * (120 << 20))
    end = time.process_time() + 0.2
    while time.process_time() < end:
        pass
if mode == "prints":
    sys.stdout.buffer.write(data)
elif mode != "silent":
    pathlib.Path(target).write_bytes(data)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    files = tmp_path / "files"
    files.mkdir()
    (files / "a.txt").write_bytes(b"one line\n" * 10)
    (files / "b.bin").write_bytes(bytes(range(256)))
    return files


def measure(
    tmp_path: Path, folder: Path, mode: str, *options: str
) -> tuple[int, list[dict[str, str]]]:
    fake = tmp_path / "fake.py"
    fake.write_text(FAKE)
    out = "" if mode == "prints" else "{archive}"
    back = "" if mode == "prints" else "{output}"
    run = f"{sys.executable} {fake} {mode}"
    results = tmp_path / "results.csv"
    done = subprocess.run(
        [
            sys.executable,
            str(BENCH / "peers.py"),
            str(folder),
            "--tool",
            "fake",
            f"{run} c {{input}} {out or '-'}",
            f"{run} d {{archive}} {back or '-'}",
            "--tools",
            "fake",
            "--output",
            str(results),
            *options,
        ],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode in (0, 1), done.stderr
    with open(results, newline="") as file:
        return done.returncode, list(csv.DictReader(file))


@pytest.mark.parametrize("mode", ["works", "prints"])
def test_sizes_and_costs_of_both_directions(tmp_path: Path, folder: Path, mode: str) -> None:
    status, rows = measure(tmp_path, folder, mode, "--repeats", "2")
    assert status == 0
    assert [(row["file"], row["raw_bytes"], row["archive_bytes"]) for row in rows] == [
        ("a.txt", "90", "94"),
        ("b.bin", "256", "260"),
    ]
    assert {row["status"] for row in rows} == {"ok"}
    assert {row["repeats"] for row in rows} == {"2"}
    if mode == "works":
        for row in rows:
            assert float(row["compress_cpu"]) >= 0.2
            assert float(row["compress_wall"]) >= 0.2
            assert int(row["compress_peak"]) > 120 * 1024 > int(row["decompress_peak"])


@pytest.mark.parametrize(
    ("mode", "said"),
    [
        ("loses", "decodes to other bytes"),
        ("exits", "exit 1: fake: no room left"),
        ("silent", "wrote nothing"),
        ("hangs", "took longer than 1 s"),
    ],
)
def test_a_failure_is_no_result(tmp_path: Path, folder: Path, mode: str, said: str) -> None:
    status, rows = measure(tmp_path, folder, mode, "--timeout", "1")
    assert status == 1
    assert [row["status"] for row in rows] == [said, said]
    assert {row["archive_bytes"] for row in rows} == {"0"}


def test_a_missing_peer_is_a_row_that_says_so(tmp_path: Path, folder: Path) -> None:
    results = tmp_path / "results.csv"
    done = subprocess.run(
        [
            sys.executable,
            str(BENCH / "peers.py"),
            str(folder),
            "--tool",
            "gone",
            "no-such-program {input}",
            "no-such-program {archive}",
            "--tools",
            "gone",
            "--output",
            str(results),
        ],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "- gone: not installed" in done.stdout
    with open(results, newline="") as file:
        assert {row["status"] for row in csv.DictReader(file)} == {"not installed"}


def test_a_shipped_corpus_is_known_by_its_sums(tmp_path: Path) -> None:
    samples = BENCH.parent / "corpora" / "samples"
    _, rows = measure(tmp_path, samples, "prints")
    assert {row["corpus"] for row in rows} == {"samples"}
    changed = tmp_path / "samples-changed"
    changed.mkdir()
    for file in samples.iterdir():
        (changed / file.name).write_bytes(file.read_bytes() + b"\n")
    _, rows = measure(tmp_path, changed, "prints")
    assert {row["corpus"] for row in rows} == {"samples", "samples-changed"}
