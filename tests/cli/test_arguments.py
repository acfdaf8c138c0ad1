"""Verbs, gzip's habits, and what happens when the arguments make no sense."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from importlib.metadata import version

import pytest

from .conftest import PROGRAM, Shell

CONTENT = b"what goes in must come out\n" * 200


def test_file_without_a_verb_is_compressed_and_kept(llmzip: Shell) -> None:
    source = llmzip.write("a.txt", CONTENT)
    done = llmzip("a.txt")
    assert done.stdout == b"" and done.stderr == b""
    assert llmzip.names() == ["a.txt", "a.txt.llmz"]
    assert source.read_bytes() == CONTENT
    assert (llmzip.folder / "a.txt.llmz").stat().st_size < len(CONTENT)


@pytest.mark.parametrize("undo", [["-d"], ["--decompress"], ["decompress"], ["-kd"], ["-d", "-9"]])
def test_every_spelling_of_decompress(llmzip: Shell, undo: list[str]) -> None:
    source = llmzip.write("a.txt", CONTENT)
    llmzip("compress", "a.txt")
    source.unlink()
    llmzip(*undo, "a.txt.llmz")
    assert source.read_bytes() == CONTENT


@pytest.mark.parametrize(
    "spelling",
    [
        ["-t", "-v"],
        ["test", "-v"],
        ["--test", "-v"],
        ["-dtv"],
        ["test", "--quick", "-v"],
        ["-t", "--quick", "-v"],
    ],
)
def test_every_spelling_of_test(llmzip: Shell, spelling: list[str]) -> None:
    llmzip.write("a.txt", CONTENT)
    llmzip("a.txt")
    done = llmzip(*spelling, "a.txt.llmz")
    assert b"a.txt.llmz: " in done.stderr
    assert llmzip.names() == ["a.txt", "a.txt.llmz"]


@pytest.mark.parametrize("spelling", [["-l"], ["list"], ["--list"]])
def test_every_spelling_of_list(llmzip: Shell, spelling: list[str]) -> None:
    llmzip.write("a.txt", CONTENT)
    llmzip("a.txt")
    assert b"a.txt.llmz" in llmzip(*spelling, "a.txt.llmz").stdout


def test_levels_are_stored_and_the_last_one_counts(llmzip: Shell) -> None:
    llmzip.write("a.txt", CONTENT)
    for options, level in ((["-1"], 1), (["-4"], 4), (["--best"], 9), (["-1", "-2"], 2), ([], 6)):
        llmzip(*options, "-f", "a.txt")
        shown = json.loads(llmzip("list", "--json", "a.txt.llmz").stdout)
        assert [a["level"] for a in shown["archives"]] == [level]


def test_stdin_to_stdout_with_no_arguments(llmzip: Shell) -> None:
    packed = llmzip(stdin=CONTENT).stdout
    assert llmzip("-d", stdin=packed).stdout == CONTENT
    assert llmzip("-", stdin=CONTENT).stdout == packed
    assert llmzip("compress", stdin=CONTENT).stdout == packed
    assert llmzip("-dc", "-", stdin=packed).stdout == CONTENT
    assert llmzip.names() == []


def test_c_keeps_the_order_of_files_and_stdin(llmzip: Shell) -> None:
    llmzip.write("a", b"first ")
    llmzip.write("b", b" third")
    packed = llmzip("-c", "a", "-", "b", stdin=b"second").stdout
    assert llmzip("-dc", stdin=packed).stdout == b"first second third"


def test_threads_do_not_change_the_bytes(llmzip: Shell) -> None:
    llmzip.write("a", CONTENT)
    one = llmzip("-c", "-T1", "a").stdout
    assert llmzip("-c", "-T", "3", "a").stdout == one
    assert llmzip("-c", "-T0", "a").stdout == one
    assert llmzip("-c", "a", env={"LLMZIP_THREADS": "2"}).stdout == one


def test_the_bytes_hold_no_name_time_or_folder(llmzip: Shell) -> None:
    llmzip.write("a", CONTENT)
    other = llmzip.write("sub/other name", CONTENT)
    os.utime(other, (1, 1))
    llmzip("a", "sub/other name")
    first = (llmzip.folder / "a.llmz").read_bytes()
    assert (llmzip.folder / "sub/other name.llmz").read_bytes() == first
    assert llmzip("-c", stdin=CONTENT).stdout == first


def test_bad_threads_in_the_environment_are_refused(llmzip: Shell) -> None:
    line = llmzip.fails("-c", stdin=b"x", env={"LLMZIP_THREADS": "many"}, code=2)
    assert "many" in line


def test_predictor_can_be_chosen(llmzip: Shell) -> None:
    llmzip.write("a", CONTENT)
    llmzip("-p", "store", "a")
    shown = json.loads(llmzip("list", "--json", "a.llmz").stdout)
    assert "store" in str(shown["archives"][0]["predictors"])
    assert (llmzip.folder / "a.llmz").stat().st_size > len(CONTENT)


def test_unknown_predictor_is_named(llmzip: Shell) -> None:
    llmzip.write("a", CONTENT)
    line = llmzip.fails("-p", "magic", "a", code=2)
    assert "magic" in line
    assert llmzip.names() == ["a"]


def test_no_verify_gives_the_same_bytes(llmzip: Shell) -> None:
    llmzip.write("a", CONTENT)
    assert llmzip("-c", "--no-verify", "a").stdout == llmzip("-c", "a").stdout


def test_double_dash_ends_the_options(llmzip: Shell) -> None:
    llmzip.write("-d", CONTENT)
    llmzip("--", "-d")
    assert llmzip.names() == ["-d", "-d.llmz"]


def test_file_named_like_a_verb(llmzip: Shell) -> None:
    llmzip.write("test", CONTENT)
    llmzip("--", "test")
    llmzip("-f", "test")
    assert llmzip.names() == ["test", "test.llmz"]


def test_options_may_follow_the_files(llmzip: Shell) -> None:
    llmzip.write("a", CONTENT)
    llmzip("a", "-o", "b.llmz", "-9")
    assert llmzip.names() == ["a", "b.llmz"]


def test_memory_sizes(llmzip: Shell) -> None:
    llmzip.write("a", CONTENT)
    for size in ("2G", "2GiB", "2gb", "2147483648", "2097152K"):
        llmzip("-f", "-M", size, "a")
        llmzip("-dfM", size, "a.llmz")
    for size in ("0", "-1", "lots", "1.5G", "1X", "", "MB", "G"):
        llmzip.fails("-f", "-M", size, "a", code=2)


def test_memory_limit_is_kept(llmzip: Shell) -> None:
    llmzip.write("a", CONTENT)
    line = llmzip.fails("-M", "1", "a", code=3)
    assert "-M" in line
    assert llmzip.names() == ["a"]
    llmzip("a")
    line = llmzip.fails("-dc", "-M", "1", "a.llmz", code=3)
    assert "-M" in line


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["--frobnicate", "a"], "--frobnicate"),
        (["-x", "a"], "-x"),
        (["compress", "-d", "a"], "-d"),
        (["-T", "-1", "a"], "-T"),
        (["-T", "5000", "a"], "-T"),
        (["--threads=", "a"], "--threads"),
        (["--stdout=yes", "a"], "--stdout"),
        (["--no", "a"], "--no"),
        (["-T", "x", "a"], "-T"),
        (["-o"], "-o"),
        (["-c", "-o", "b", "a"], "-c and -o"),
        (["-c", "--output-dir", ".", "a"], "--output-dir"),
        (["-o", "b", "--output-dir", ".", "a"], "--output-dir"),
        (["-o", "b", "a", "a2"], "--output-dir"),
        (["--output-dir", ".", "-"], "-o"),
        (["--rm", "--no-verify", "a"], "--no-verify"),
        (["--rm", "-k", "a"], "-k"),
        (["--json", "-c", "a"], "--json"),
        (["--json"], "--json"),
        (["-t", "-o", "b", "a"], "-o"),
        (["list", "-o", "b", "a"], "-o"),
        (["--quick", "a"], "--quick"),
        (["recover", "a"], "-o"),
        (["recover", "a", "b", "-o", "c"], "one archive"),
    ],
)
def test_wrong_usage(llmzip: Shell, arguments: list[str], hint: str) -> None:
    source = llmzip.write("a", CONTENT)
    line = llmzip.fails(*arguments, code=2)
    assert hint in line
    assert llmzip.names() == ["a"]
    assert source.read_bytes() == CONTENT


def test_wrong_usage_in_json(llmzip: Shell) -> None:
    done = llmzip("--json", "--frobnicate", code=2)
    told = json.loads(done.stdout)
    assert not told["ok"]
    assert told["error"]["kind"] == "usage" and told["error"]["exit_code"] == 2


def test_version(llmzip: Shell) -> None:
    for option in ("-V", "--version"):
        assert llmzip(option).stdout.decode() == f"llmzip {version('llmzip')}\n"


def test_help(llmzip: Shell) -> None:
    shown = llmzip("-h").stdout.decode()
    assert shown == llmzip("--help").stdout.decode()
    assert all(len(line) <= 100 for line in shown.splitlines())
    for word in ("decompress", "recover", "--rm", "--no-verify", "tar -I llmzip", "130"):
        assert word in shown
    for verb in ("compress", "decompress", "test", "list", "recover", "models"):
        assert f"llmzip {verb} [OPTIONS]" in llmzip(verb, "-h").stdout.decode()


def test_missing_file_named_like_a_verb_gets_a_hint(llmzip: Shell) -> None:
    llmzip.write("a", CONTENT)
    line = llmzip("-v", "decompress", "a", code=1).stderr.decode().splitlines()[0]
    assert "decompress: no such file" in line and "first" in line


def test_python_m_llmzip_is_the_same_program(llmzip: Shell) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "llmzip", "-V"], cwd=llmzip.folder, capture_output=True, check=True
    )
    assert done.stdout == llmzip("-V").stdout


def test_starts_fast() -> None:
    def seconds(*command: str) -> float:
        best = 9.0
        for _ in range(7):
            start = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True)
            best = min(best, time.perf_counter() - start)
        return best

    bare = seconds(sys.executable, "-c", "pass")
    assert seconds(str(PROGRAM), "--version") - bare < 0.135
