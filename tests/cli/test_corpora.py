"""`llmzip corpora`, as a user would run it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from synthetic import corpora
from synthetic.corpora import FILES
from synthetic.mirror import Mirror, closed_port

# llmzip with other manifests than those that it brings along: theirs are too large to be got here.
PROGRAM = """
import sys
from llmzip.corpora import manifest
folder = sys.argv[1]
manifest.manifests = lambda: folder
from llmzip.__main__ import main
sys.argv[:2] = ["llmzip"]
sys.exit(main())
"""


@pytest.fixture
def store(llmzip):
    return {"LLMZIP_CORPORA": str(llmzip.folder / "store"), "no_proxy": "*"}


@pytest.fixture
def mirror():
    server = Mirror()
    yield server
    server.close()


@pytest.fixture
def tiny(tmp_path, mirror, store):
    """llmzip corpora, with tiny manifests and a server that has their files."""
    manifests = tmp_path / "manifests"
    mirror.files = corpora.write(manifests, mirror.address)

    def command(*arguments: str) -> list[str]:
        return [sys.executable, "-P", "-c", PROGRAM, str(manifests), "corpora", *arguments]

    def run(*arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            command(*arguments),
            env=os.environ | store,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == code, done.stderr
        assert "Traceback" not in done.stderr
        return done

    run.command, run.store = command, Path(store["LLMZIP_CORPORA"])
    return run


def test_the_list_has_every_corpus(llmzip, store):
    lines = llmzip("corpora", "list", env=store).stdout.decode().splitlines()
    rows = {line.split()[0]: line.split() for line in lines}
    assert rows["corpus"][:3] == ["corpus", "files", "bytes"]
    assert rows["canterbury"][1:6] == ["11", "2,810,784", "739", "kB", "no"]
    assert rows["samples"][1:5] == ["3", "53,898", "-", "yes"]
    wanted = {"enwik8", "enwik9", "text8", "silesia", "calgary", "kodak", "librispeech"}
    assert wanted | {"checkpoints", "fashion-mnist", "adult", "large"} <= rows.keys()


def test_the_list_for_scripts(llmzip, store):
    objects = [
        json.loads(s) for s in llmzip("corpora", "list", "--json", env=store).stdout.splitlines()
    ]
    (kodak,) = [each for each in objects if each["corpus"] == "kodak"]
    assert kodak["here"] is False and len(kodak["files"]) == 24
    assert kodak["folder"] == str(llmzip.folder / "store" / "kodak")
    assert kodak["download_bytes"] == sum(file["bytes"] for file in kodak["files"])


def test_the_samples_can_be_used_at_once(llmzip, store):
    folder = llmzip("corpora", "path", "samples", env=store).stdout.decode().rstrip("\n")
    assert {p.name for p in Path(folder).iterdir()} >= {"us-constitution.txt", "zone1970.tab"}
    assert b"already" in llmzip("corpora", "get", "samples", env=store).stderr
    llmzip("-c", str(Path(folder) / "us-constitution.txt"))


def test_getting_and_where_it_is(tiny, mirror):
    said = tiny("path", "zip", code=3).stderr
    assert said == "llmzip: zip: corpus zip is not here; llmzip corpora get zip gets it\n"
    assert tiny("get", "zip", "tar").stderr.count("is here: ") == 2
    folder = Path(tiny("path", "zip").stdout.rstrip("\n"))
    assert folder == tiny.store / "zip"
    assert {p: (folder / p).read_bytes() for p in FILES} == FILES
    assert "is here already" in tiny("get", "zip").stderr
    shown = json.loads(tiny("get", "zip", "--json").stdout)
    assert shown["ok"] and shown["here"] and shown["folder"] == str(folder)
    asked = len(mirror.asked)
    assert "already" not in tiny("get", "-f", "zip").stderr and len(mirror.asked) == asked + 1


def test_one_that_fails_does_not_stop_the_others(tiny, mirror):
    mirror.files["x.zip"] = bytes(len(mirror.files["x.zip"]))
    done = tiny("get", "zip", "nope", "plain", code=2)
    first, second, third = done.stderr.splitlines()
    assert first.startswith("llmzip: zip: x.zip has sha256 ") and first.endswith("not taken")
    assert second.startswith("llmzip: nope: no corpus is called 'nope'; there are: bz2, ")
    assert third.startswith("llmzip: plain: is here: ")
    failed = json.loads(tiny("get", "zip", "--json", code=1).stdout)
    assert failed["ok"] is False and failed["error"]["kind"] == "download"


def test_without_a_network_one_line_says_how_else(llmzip, store):
    line = llmzip.fails("corpora", "get", "enwik8", "--from", closed_port(), env=store)
    assert "no connection to 127.0.0.1" in line and "get enwik8 --from DIR" in line
    assert llmzip.names() == []


def test_a_folder_that_has_other_files(llmzip, store):
    llmzip.write("mine/enwik8", b"not the encyclopaedia")
    line = llmzip.fails("corpora", "get", "enwik8", "--from", "mine", env=store)
    assert "has 21 bytes, not 100,000,000" in line
    llmzip.write("mine/enwik8", b"")
    assert "has 0 bytes" in llmzip.fails("corpora", "get", "enwik8", "--from", "mine", env=store)


def test_no_checksum_is_said_even_if_quiet(tiny):
    assert "not verified against a published sum" in tiny("get", "-q", "unsummed").stderr


def test_an_interrupted_download_goes_on(tiny, mirror):
    whole = mirror.files["a.txt"]
    answer = mirror._answer
    # The server stops talking in the middle, and the user loses patience.
    mirror.breaks, mirror.after = 1, 30_000

    def slow(handler):
        answer(handler)
        if len(mirror.asked) == 1:
            handler.wfile.flush()
            time.sleep(2)

    mirror._answer = slow
    started = subprocess.Popen(
        tiny.command("get", "plain"),
        env=os.environ | {"LLMZIP_CORPORA": str(tiny.store), "no_proxy": "*"},
        stderr=subprocess.PIPE,
    )
    part = tiny.store / "plain.part" / "a.txt"
    until = time.monotonic() + 20
    while not part.exists() and time.monotonic() < until:
        time.sleep(0.02)
    time.sleep(0.2)
    started.send_signal(signal.SIGINT)
    _, said = started.communicate(timeout=20)
    assert started.returncode in (130, -signal.SIGINT) and b"Traceback" not in said
    assert not (tiny.store / "plain" / "a.txt").exists()
    kept = part.stat().st_size
    assert 0 <= kept <= 30_000
    tiny("get", "plain")
    assert (tiny.store / "plain" / "a.txt").read_bytes() == whole


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "corpora needs one of: list, get, path"),
        (["burn", "it"], "corpora needs one of: list, get, path"),
        (["get"], "use llmzip corpora get NAME..."),
        (["path", "a", "b"], "use llmzip corpora path NAME"),
        (["list", "a"], "use llmzip corpora list"),
        (["list", "--from", "x"], "--from belongs to corpora get, not to list"),
        (["get", "../x"], "no corpus is called '../x'"),
        (["get", "enwik8", "--from", "no/such"], "neither"),
        (["get", "enwik8", "--from", "ftp://x"], "neither"),
        (["list", "-o", "x"], "option -o is not known"),
    ],
)
def test_wrong_use(llmzip, store, arguments, said):
    assert said in llmzip.fails("corpora", *arguments, code=2, env=store)
    assert llmzip.names() == []
