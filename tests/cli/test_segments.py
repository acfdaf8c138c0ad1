"""`--segments`: a text in parts that go on from the first one, with the tiny model."""

from __future__ import annotations

import json

import pytest

import synthetic

PROSE = (synthetic.TEXT + ".\n").encode() * 60
# Printable noise, in which the tiny model is asked: it knows as little of it as the mixer.
UNLIKE = bytes(32 + (n * n * 7919 >> 5) % 95 for n in range(400))
CONTENT = UNLIKE + PROSE
NOISE = b"".join(bytes([letter]) + b" as it is\n" for letter in UNLIKE)


@pytest.fixture
def packed(llmzip, tmp_path_factory):
    """llmzip with a store that has the tiny model, and `notes`."""
    pack = synthetic.pack(tmp_path_factory.mktemp("pack") / "tiny.gguf")
    llmzip.write("tiny.lzpack", pack)
    env = {"LLMZIP_MODELS": str(llmzip.folder / "store")}

    def run(*arguments, code=0, stdin=None):
        return llmzip(*arguments, code=code, stdin=stdin, env=env)

    def fails(*arguments, code):
        return llmzip.fails(*arguments, code=code, env=env)

    run.fails, run.folder, run.names, run.write = fails, llmzip.folder, llmzip.names, llmzip.write
    run("models", "import", "tiny.lzpack")
    llmzip.write("notes", CONTENT)
    return run


def segments(packed) -> list[dict]:
    return json.loads(packed("list", "--json", "notes.llmz").stdout)["archives"][0]["segments"]


def test_there_and_back(packed):
    packed("-qm", "tiny", "--segments", "5", "notes")
    found = segments(packed)
    assert len(found) == 5
    # Cut behind lines.
    at = 0
    for segment in found[:-1]:
        at += segment["raw_len"]
        assert CONTENT[:at].endswith((b"\n", b" "))
    archive = (packed.folder / "notes.llmz").read_bytes()
    for threads in ("-T1", "-T2", "-T7"):
        assert packed("-dc", threads, "notes.llmz").stdout == CONTENT
        assert packed("-qcm", "tiny", "--segments=5", threads, "notes").stdout == archive
    # As many together as fit into memory.
    need = json.loads(packed("list", "--json", "notes.llmz").stdout)["archives"][0]
    assert packed("-dc", f"-M{need['decoder_memory'] + (1 << 20)}", "notes.llmz").stdout == CONTENT
    packed("test", "notes.llmz")
    assert packed("-dc", stdin=archive).stdout == CONTENT
    assert packed("-cm", "tiny", "--segments=5", stdin=CONTENT).stdout == archive
    assert packed("recover", "notes.llmz", "-c").stdout == CONTENT


def test_short_texts_and_high_levels_stay_whole(packed):
    for options in ((), ("--segments", "auto"), ("-7",), ("--segments=1",)):
        packed("-qfm", "tiny", *options, "notes")
        assert len(segments(packed)) == 1
    packed.write("notes", PROSE * (70_000 // len(PROSE) + 1))
    packed("-qfm", "tiny", "--no-verify", "-p", "llm", "-3", "notes")
    assert len(segments(packed)) == 2


def test_what_it_costs_is_said_beforehand(packed):
    said = packed("-fm", "tiny", "--segments", "3", "notes").stderr.decode()
    assert "3 segments, decoded together, take about " in said
    assert "% more bytes than one (an estimate; --segments 1)" in said
    assert "segments" not in packed("-fm", "tiny", "notes").stderr.decode()


@pytest.mark.parametrize("number", ["0", "65", "-1", "x", "1.5", "", "9" * 30])
def test_a_number_that_is_none_is_refused(packed, number):
    line = packed.fails("-m", "tiny", f"--segments={number}", "notes", code=2)
    assert "--segments" in line
    assert "notes.llmz" not in packed.names()


def test_content_that_is_no_text_stays_whole(packed):
    packed.write("notes", bytes(range(0, 256, 5)) * 2000)
    packed("-qm", "tiny", "--segments", "4", "notes")
    assert len(segments(packed)) == 1


def test_too_little_memory_is_said(packed):
    assert "raise it with -M" in packed.fails(
        "-qm", "tiny", "--segments=4", "-M50M", "notes", code=3
    )
    packed("-qm", "tiny", "--segments=4", "notes")
    assert "raise it with -M" in packed.fails("-t", "-M50M", "notes.llmz", code=3)


def damaged(packed, number: int) -> list[dict]:
    """Flips a bit near the end of a segment of what hardly shrinks; the segments."""
    packed.write("notes", NOISE)
    packed("-qfm", "tiny", "--segments", "4", "notes")
    found = segments(packed)
    data = bytearray((packed.folder / "notes.llmz").read_bytes())
    data[found[number]["offset"] + found[number]["length"] - 3] ^= 1
    packed.write("notes.llmz", bytes(data))
    return found


def test_damage_costs_the_segment_alone(packed):
    found = damaged(packed, 2)
    for threads in ("-T1", "-T2"):
        line = packed.fails("-t", threads, "notes.llmz", code=1)
        assert "segment 2" in line
    done = packed("recover", "notes.llmz", "-o", "saved", code=1)
    assert b"segment 2 (" in done.stderr
    begin = found[0]["raw_len"] + found[1]["raw_len"]
    end = begin + found[2]["raw_len"]
    assert (packed.folder / "saved").read_bytes() == NOISE[:begin] + NOISE[end:]


def test_damage_of_the_first_segment_costs_all(packed):
    damaged(packed, 0)
    done = packed("recover", "notes.llmz", "-o", "saved", code=1)
    said = done.stderr.decode()
    for number in range(1, 4):
        assert f"segment {number} (" in said
    assert said.count("it starts from the state after segment 0") == 3
