"""distance, classify, select and trend, as their users see them."""

from __future__ import annotations

import csv
import io
import json
import random
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest

import synthetic

from .conftest import Shell

# Languages: two families, whose words have letters and endings in common.
FAMILIES = {
    "north": ("bdgkrt", "aou", ("ar", "un", "ok")),
    "south": ("lmnpsv", "eiy", ("es", "il", "em")),
}


def words(family: str, dialect: int, count: int = 120) -> list[str]:
    """A vocabulary; dialects of one family share three of four words."""
    found = []
    for number in range(count):
        own = dialect if number % 4 == 0 else 0
        draw = random.Random(f"{family} {own} {number}")
        consonants, vowels, endings = FAMILIES[family]
        stem = "".join(draw.choice(consonants) + draw.choice(vowels) for _ in range(3))
        found.append(stem + draw.choice(endings))
    return found


def text(family: str, dialect: int, seed: int, size: int = 2000) -> bytes:
    """Words of a dialect in random order."""
    draw = random.Random(f"{family} {dialect} {seed}")
    own, found = words(family, dialect), ""
    while len(found) < size:
        found += draw.choice(own) + draw.choice([" ", " ", " ", ", ", ".\n"])
    return found[:size].encode()


@pytest.fixture
def languages(llmzip: Shell) -> list[str]:
    """Files of five dialects, in no order."""
    names = []
    for family, dialect in (("north", 1), ("south", 1), ("north", 2), ("south", 2), ("north", 3)):
        names.append(f"{family}{dialect}.txt")
        llmzip.write(names[-1], text(family, dialect, 0, 4000))
    return names


@pytest.fixture
def topics(llmzip: Shell) -> Path:
    """Folders with six documents of two classes each."""
    for family in FAMILIES:
        for number in range(6):
            llmzip.write(f"topics/{family}/{number}", text(family, number % 2, number, 700))
    return llmzip.folder / "topics"


def told(stdout: bytes) -> list[dict[str, Any]]:
    """One JSON object from each line."""
    return [json.loads(line) for line in stdout.decode().splitlines()]


@pytest.mark.parametrize("way", [[], ["-3"], ["-p", "gzip"], ["-p", "zstd"]])
def test_distance_puts_families_together(
    llmzip: Shell, languages: list[str], way: list[str]
) -> None:
    (found,) = told(llmzip("distance", *way, "--json", *languages).stdout)
    assert found["ok"] and found["names"] == languages
    families = [name[:5] for name in found["names"]]
    for part in found["tree"]["parts"]:
        assert len({families[member] for member in part["members"]}) == 1
    for x in range(5):
        nearest = min((y for y in range(5) if y != x), key=lambda y: found["ncd"][x][y])
        assert families[nearest] == families[x]
        assert found["ncd"][x] == [row[x] for row in found["ncd"]]


def test_distance_for_people_in_a_table_a_picture_and_a_file(
    llmzip: Shell, languages: list[str]
) -> None:
    done = llmzip("distance", "-3", *languages, "--csv", "d.csv", "--svg", "d.svg")
    shown = done.stdout.decode()
    lines = shown.splitlines()
    assert "by cm -3" in lines[0]
    assert lines[1].split() == [
        "bytes",
        "C,",
        "bytes",
        *(n.removesuffix(".txt") for n in languages),
    ]
    assert lines[2].split()[:2] == ["north1", "4,000"]
    tree = [line for line in lines if "╴" in line or "─" in line]
    assert [line.split()[-1][:5] for line in tree] in (
        ["north"] * 3 + ["south"] * 2,
        ["south"] * 2 + ["north"] * 3,
    )
    rows = list(csv.DictReader(io.StringIO((llmzip.folder / "d.csv").read_text())))
    assert len(rows) == 10
    for row in rows:
        c_x, c_y, xy, yx = (float(row[f]) for f in ("c_x", "c_y", "c_x_given_y", "c_y_given_x"))
        ncd = ((c_x + yx + c_y + xy) / 2 - min(c_x, c_y)) / max(c_x, c_y)
        assert float(row["ncd"]) == pytest.approx(ncd, abs=1e-5)
    picture = (llmzip.folder / "d.svg").read_text()
    assert "prefers-color-scheme: dark" in picture
    texts = [
        e.text for e in ElementTree.fromstring(picture).iter("{http://www.w3.org/2000/svg}text")
    ]
    assert {name.removesuffix(".txt") for name in languages} <= set(texts)


def test_distance_of_folders_and_of_the_files_in_them(llmzip: Shell, topics: Path) -> None:
    (whole,) = told(llmzip("distance", "-3", "--json", "topics/north", "topics/south").stdout)
    assert whole["sizes"] == [6 * 700 + 5] * 2
    (each,) = told(llmzip("distance", "-3", "-r", "--json", "topics").stdout)
    assert len(each["names"]) == 12 and each["names"][0] == "topics/north/0"
    line = llmzip.fails("distance", "topics", code=2)
    assert "two files or folders at least" in line and "-r" in line


def test_distance_goes_on_after_files_that_will_not_do(llmzip: Shell, languages: list[str]) -> None:
    llmzip.write("empty", b"")
    done = llmzip("distance", "-3", "missing", *languages[:2], "empty", "--json", code=1)
    errors = done.stderr.decode().splitlines()
    assert errors[0] == "llmzip: missing: no such file or folder"
    assert errors[1].startswith("llmzip: empty: is empty")
    missing, empty, found = told(done.stdout)
    assert (missing["error"]["kind"], empty["error"]["kind"]) == ("missing", "empty")
    assert found["names"] == languages[:2]
    assert llmzip("distance", "missing", languages[0], code=1).stdout == b""


def test_distance_does_not_depend_on_threads(llmzip: Shell, languages: list[str]) -> None:
    one, four = (llmzip("distance", "-3", f"-T{n}", *languages).stdout for n in (1, 4))
    assert one == four and one


def test_names_in_pictures_and_tables_are_escaped(llmzip: Shell) -> None:
    llmzip.write("a<&\x1b[2J", text("north", 0, 0))
    llmzip.write("b", text("south", 0, 0))
    shown = llmzip("distance", "-3", "a<&\x1b[2J", "b", "--svg", "d.svg").stdout.decode()
    assert "\x1b" not in shown
    assert "\x1b" not in (llmzip.folder / "d.svg").read_text()
    ElementTree.parse(llmzip.folder / "d.svg")


def test_outputs_are_neither_inputs_nor_overwritten(llmzip: Shell, languages: list[str]) -> None:
    before = (llmzip.folder / languages[0]).read_bytes()
    line = llmzip.fails("distance", "-f", *languages, "--csv", languages[0])
    assert "is one of the inputs" in line
    assert (llmzip.folder / languages[0]).read_bytes() == before
    llmzip.write("d.csv", b"mine")
    assert "-f overwrites" in llmzip.fails("distance", *languages, "--csv", "d.csv")
    assert (llmzip.folder / "d.csv").read_bytes() == b"mine"
    assert "same file" in llmzip.fails("distance", *languages, "--csv", "x", "--svg", "./x", code=2)
    assert "x" not in llmzip.names()


CLASSES = ["--class", "n=topics/north", "--class", "s=topics/south"]


@pytest.mark.parametrize("way", [["-3"], [], ["-p", "gzip"], ["-p", "zstd"]])
def test_classify_files(llmzip: Shell, topics: Path, way: list[str]) -> None:
    llmzip.write("one", text("south", 0, 50, 500))
    llmzip.write("two", text("north", 1, 51, 1500))
    one, two = told(llmzip("classify", *way, *CLASSES, "--json", "one", "two").stdout)
    assert (one["file"], one["label"]) == ("one", "s")
    assert (two["file"], two["label"]) == ("two", "n")
    for found, size in ((one, 500), (two, 1500)):
        best, second = sorted(found["costs"].values())
        assert found["costs"][found["label"]] == best
        assert found["margin"] == pytest.approx((second - best) / size) and found["margin"] > 0


def test_classify_for_people(llmzip: Shell, topics: Path) -> None:
    llmzip.write("one", text("south", 0, 50, 500))
    shown = llmzip("classify", "-3", *CLASSES, "one", "missing", code=1)
    assert shown.stderr == b"llmzip: missing: no such file or folder\n"
    head, row = (line.split() for line in shown.stdout.decode().splitlines()[1:3])
    assert head == ["file", "class", "margin", "n", "s"]
    assert row[:2] == ["one", "s"] and int(row[4]) < int(row[3])


def test_classify_leaving_one_out(llmzip: Shell, topics: Path) -> None:
    # One that is in the wrong class cannot be right.
    llmzip.write("topics/north/wrong", text("south", 0, 60, 700))
    *labels, summary = told(llmzip("classify", "-3", *CLASSES, "--leave-one-out", "--json").stdout)
    assert [label["label"] for label in labels] == ["n"] * 6 + ["s"] * 7
    assert (summary["right"], summary["of"]) == (12, 13)
    shown = llmzip("classify", "-3", "-v", *CLASSES, "--leave-one-out").stdout.decode()
    assert "12 of 13 labels are right, 92.3 %" in shown
    assert "topics/north/wrong: s, not n" in shown


def test_classes_of_other_sizes_are_told_and_can_be_balanced(llmzip: Shell, topics: Path) -> None:
    llmzip.write("little", text("north", 0, 70, 800))
    llmzip.write("one", text("south", 0, 50, 500))
    classes = ["--class", "n=little", "--class", "s=topics/south"]
    uneven = llmzip("classify", "-3", *classes, "one")
    assert b"--balance" in uneven.stderr
    even = llmzip("classify", "-3", "--balance", *classes, "one")
    assert even.stderr == b"" and even.stdout != uneven.stdout


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--class", "n=topics/north", "one"], "two classes"),
        (["--class", "north", "--class", "s=topics/south", "one"], "NAME=PATH"),
        ([*CLASSES, "--leave-one-out", "one"], "leave out the files"),
        ([*CLASSES, "-1", "one"], "-p zstd"),
        ([*CLASSES, "-p", "tensor", "one"], "cm, llm, gzip, zstd"),
        ([*CLASSES, "-p", "llm", "one"], "-m"),
        ([*CLASSES, "-p", "gzip", "-m", "x", "one"], "takes no model"),
    ],
)
def test_classify_says_what_is_wrong(
    llmzip: Shell, topics: Path, arguments: list[str], expected: str
) -> None:
    llmzip.write("one")
    assert expected in llmzip.fails("classify", *arguments, code=2)


@pytest.fixture
def pool(llmzip: Shell) -> set[int]:
    """A target of one language, and pool.jsonl, which has 8 such documents among 60 others."""
    llmzip.write("target", text("south", 0, 1000, 3000))
    draw = random.Random(3)
    planted = set(draw.sample(range(68), 8))
    lines = []
    for number in range(68):
        own = text("south" if number in planted else "north", number % 3, number, 600).decode()
        lines.append(json.dumps({"id": number, "body": own}))
    llmzip.write("pool.jsonl", "\n".join(lines).encode() + b"\n")
    return planted


SELECT = ["select", "--target", "target", "-n", "8"]


@pytest.mark.parametrize("score", ["gain", "ncd"])
@pytest.mark.parametrize("way", [[], ["-p", "gzip"]])
def test_select_finds_what_was_planted(
    llmzip: Shell, pool: set[int], way: list[str], score: str
) -> None:
    arguments = ["--pool", "pool.jsonl", "--text-field", "body", "--score", score, "--json"]
    (found,) = told(llmzip(*SELECT, *way, *arguments).stdout)
    assert {choice["number"] for choice in found["chosen"]} == pool
    scores = [choice["score"] for choice in found["chosen"]]
    assert scores == sorted(scores, reverse=True)
    assert found["documents"] == 68 and found["chosen"][0]["name"].startswith("pool.jsonl:")


def test_select_writes_documents(llmzip: Shell, pool: set[int]) -> None:
    arguments = ["--pool", "pool.jsonl", "--text-field", "body", "-o", "out.jsonl"]
    assert llmzip(*SELECT, *arguments, "--csv", "out.csv").stdout == b""
    before = (llmzip.folder / "pool.jsonl").read_text().splitlines()
    lines = (llmzip.folder / "out.jsonl").read_text().splitlines()
    assert {json.loads(line)["id"] for line in lines} == pool
    assert set(lines) <= set(before)
    rows = list(csv.DictReader(io.StringIO((llmzip.folder / "out.csv").read_text())))
    assert [int(row["number"]) for row in rows] == [json.loads(line)["id"] for line in lines]


def test_select_from_a_folder_and_from_lines(llmzip: Shell) -> None:
    llmzip.write("target", text("south", 0, 1000, 3000))
    for number in range(6):
        family = "south" if number == 4 else "north"
        llmzip.write(f"pool/{number}.txt", text(family, 0, number, 500))
    shown = llmzip("select", "--target", "target", "--pool", "pool", "-n1").stdout.decode()
    assert shown.splitlines()[-1].endswith("pool/4.txt")
    lines = [text("north", 3, n, 300).replace(b"\n", b" ") for n in range(5)]
    lines.insert(2, text("south", 0, 9, 300).replace(b"\n", b" "))
    llmzip.write("lines", b"\n\n".join(lines))
    llmzip("select", "--target", "target", "--pool", "lines", "-n1", "-o", "best")
    (best,) = told((llmzip.folder / "best").read_bytes())
    assert best == {"name": "lines:5", "text": lines[2].decode()}
    piped = llmzip("select", "--target", "target", "--pool", "-", "-n1", stdin=b"\n".join(lines))
    assert piped.stdout.decode().splitlines()[-1].endswith("standard input:3")


def test_select_leaves_out_what_is_no_document(llmzip: Shell, pool: set[int]) -> None:
    path = llmzip.folder / "pool.jsonl"
    bad = [b"{", b"[1]", b'{"body": 7}', b'{"body": ""}', b"\xff\xfe", b"{}", b"nul"]
    path.write_bytes(b"\n".join(bad) + b"\n" + path.read_bytes())
    arguments = ["--pool", "pool.jsonl", "--text-field", "body", "-o", "out"]
    errors = llmzip(*SELECT, *arguments, code=1).stderr.decode().splitlines()
    assert len(errors) == 6 and errors[0] == "llmzip: pool.jsonl:1: is not valid JSON"
    assert "no JSON object" in errors[1] and "--text-field" in errors[2] and "empty" in errors[3]
    assert errors[5] == "llmzip: documents: 2 more were left out; 7 in all"
    lines = (llmzip.folder / "out").read_text().splitlines()
    assert {json.loads(line)["id"] for line in lines} == pool


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--pool", "pool.jsonl", "-n", "3"], "--target"),
        (["--target", "target", "-n", "3"], "--pool"),
        (["--target", "target", "--pool", "pool.jsonl"], "-n N"),
        (["--target", "target", "--pool", "pool.jsonl", "-n", "0"], "-n N"),
        (["--target", "target", "--pool", "pool.jsonl", "-n", "3", "more"], "no files"),
        (["--target", "target", "--pool", "pool.jsonl", "-n", "3", "--score", "x"], "gain, ncd"),
    ],
)
def test_select_says_what_is_wrong(
    llmzip: Shell, pool: set[int], arguments: list[str], expected: str
) -> None:
    assert expected in llmzip.fails("select", *arguments, code=2)


@pytest.fixture
def dated(llmzip: Shell) -> None:
    """Documents of four months; those of the last two are harder to predict."""
    lines = []
    for month in (1, 2, 4, 5):
        for number in range(6):
            own = text("north", 0, number, 400)
            if month > 2:
                own = random.Random(month * 10 + number).randbytes(150).hex().encode()
            llmzip.write(f"files/2024-{month:02}-{number + 10}.txt", own)
            when = f"2024-{month:02}-{number + 10}T12:00:00Z"
            lines.append(json.dumps({"when": when, "text": own.decode()}))
    llmzip.write("dated.jsonl", "\n".join(lines).encode())


@pytest.mark.parametrize(
    "source", [["files"], ["--jsonl", "dated.jsonl", "--date-field", "when"]], ids=["files", "json"]
)
def test_trend_by_month_and_at_a_cutoff(llmzip: Shell, dated: None, source: list[str]) -> None:
    arguments = ["trend", "-3", *source, "--cutoff", "2024-03-01", "--json"]
    (found,) = told(llmzip(*arguments).stdout)
    assert [p["name"] for p in found["periods"]] == ["2024-01", "2024-02", "2024-04", "2024-05"]
    assert [p["documents"] for p in found["periods"]] == [6] * 4
    for period in found["periods"]:
        assert period["low"] < period["mean"] < period["high"]
        assert period["mean"] == pytest.approx(period["bits"] / period["size"])
    change = found["change"]
    assert 0 < change["low"] < change["difference"] < change["high"]
    assert change["difference"] == pytest.approx(change["after"]["mean"] - change["before"]["mean"])
    # Fixed seed: the same bands again.
    assert told(llmzip(*arguments).stdout) == [found]


def test_trend_for_people_in_a_table_a_picture_and_a_file(llmzip: Shell, dated: None) -> None:
    arguments = ["trend", "-3", "files", "--cutoff", "2024-03", "--by", "quarter"]
    lines = llmzip(*arguments, "--csv", "t.csv", "--svg", "t.svg").stdout.decode().splitlines()
    assert lines[1].split() == ["period", "documents", "bytes", "bits/byte", "from", "to"]
    assert [line.split()[0] for line in lines[2:5]] == ["2024-Q1", "2024-Q2", "all"]
    assert lines[-1].split()[0] == "difference" and lines[-1].split()[1].startswith("+")
    rows = list(csv.DictReader(io.StringIO((llmzip.folder / "t.csv").read_text())))
    assert [row["period"] for row in rows] == [
        *("2024-Q1", "2024-Q2", "all"),
        *("before 2024-03-01", "from 2024-03-01", "difference"),
    ]
    picture = ElementTree.parse(llmzip.folder / "t.svg").getroot()
    texts = [e.text for e in picture.iter("{http://www.w3.org/2000/svg}text")]
    assert {"2024-Q1", "2024-Q2", "cutoff 2024-03-01"} <= set(texts)


def test_trend_after_a_prime(llmzip: Shell, dated: None) -> None:
    llmzip.write("known", text("north", 0, 77, 5000))
    alone, primed = (
        told(llmzip("trend", "-3", "files", "--json", *more).stdout)[0]["periods"]
        for more in ([], ["--prime", "known"])
    )
    assert primed[0]["mean"] < 0.8 * alone[0]["mean"]


def test_trend_wants_dates(llmzip: Shell, dated: None) -> None:
    llmzip.write("undated.txt", text("north", 0, 5, 400))
    done = llmzip("trend", "-3", "files", "undated.txt", "--json", code=1)
    assert (
        b"undated.txt: has no date in its name" in done.stderr and b"--dates mtime" in done.stderr
    )
    assert told(done.stdout)[-1]["all"]["documents"] == 24
    (found,) = told(llmzip("trend", "-3", "undated.txt", "--dates", "mtime", "--json").stdout)
    assert (
        found["all"]["documents"] == 1 and found["periods"][0]["low"] == found["periods"][0]["mean"]
    )
    assert "--jsonl" in llmzip.fails("trend", code=2)
    assert "no date as in" in llmzip.fails("trend", "files", "--cutoff", "soon", code=2)
    assert "no documents from" in llmzip.fails(
        "trend", "-3", "files", "--cutoff", "2030-01", code=2
    )


def test_what_is_empty_or_missing_is_told(llmzip: Shell, topics: Path) -> None:
    llmzip.write("empty", b"")
    for arguments in (
        ["classify", *CLASSES, "--class", "m=missing", "topics/north/0"],
        ["select", "--target", "missing", "--pool", "topics", "-n1"],
        ["select", "--target", "topics", "--pool", "missing", "-n1"],
        ["trend", "topics", "--dates", "mtime", "--prime", "missing"],
        ["trend", "--jsonl", "missing"],
    ):
        done = llmzip(*arguments, code=1)
        errors = done.stderr.decode().splitlines()
        assert errors[0] == "llmzip: missing: no such file or folder" and len(errors) <= 2
        assert done.stdout == b""
    assert "no documents" in llmzip.fails("select", "--target", "topics", "--pool", "empty", "-n1")


def test_trend_by_a_language_model(llmzip: Shell, tmp_path_factory: pytest.TempPathFactory) -> None:
    pack = synthetic.pack(tmp_path_factory.mktemp("pack") / "tiny.gguf")
    llmzip.write("tiny.lzpack", pack)
    llmzip.write("2024-01.txt", (synthetic.TEXT + "\n").encode() * 3)
    llmzip.write("2024-02.txt", random.Random(1).randbytes(150).hex().encode())
    arguments = ["trend", "-m", "tiny.lzpack", "2024-01.txt", "2024-02.txt", "--json"]
    (found,) = told(llmzip(*arguments, "--cutoff", "2024-02").stdout)
    assert found["way"].startswith("llm ")
    assert found["change"]["difference"] > 0
    assert "takes no model" in llmzip.fails(*arguments[:-1], "-p", "cm", code=2)


def test_a_model_that_is_missing_is_named(llmzip: Shell, languages: list[str]) -> None:
    assert "nosuch" in llmzip.fails("distance", "-m", "nosuch", *languages, code=3)
