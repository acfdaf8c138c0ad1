"""Text with a language model: `-m`, as a user would run it, with the tiny model."""

from __future__ import annotations

import json

import pytest

import synthetic

PROSE = (synthetic.TEXT + ".\n").encode() * 40


@pytest.fixture
def packed(llmzip, tmp_path_factory):
    """llmzip with a store that has the tiny model, `notes` and its archive by that model."""
    store = llmzip.folder / "store"
    pack = synthetic.pack(tmp_path_factory.mktemp("pack") / "tiny.gguf")
    llmzip.write("tiny.lzpack", pack)
    env = {"LLMZIP_MODELS": str(store)}

    def run(*arguments, code=0, stdin=None, store=True):
        return llmzip(*arguments, code=code, stdin=stdin, env=env if store else None)

    def fails(*arguments, code, store=True):
        away = {"LLMZIP_MODELS": str(llmzip.folder / "none")}
        return llmzip.fails(*arguments, code=code, env=env if store else away)

    run.fails, run.folder, run.names, run.write = fails, llmzip.folder, llmzip.names, llmzip.write
    run("models", "import", "tiny.lzpack")
    run.sha256 = json.loads(run("models", "list", "--json").stdout)["sha256"]
    llmzip.write("notes", PROSE)
    run("-q", "-m", "tiny", "notes")
    return run


def test_there_and_back(packed):
    shown = packed("list", "notes.llmz").stdout.decode()
    assert f"model       tiny, sha256 {packed.sha256}, needed to decode" in shown
    assert "llm 1" in shown
    assert packed("-dc", "notes.llmz").stdout == PROSE
    assert packed("-dc", "-T1", "notes.llmz").stdout == PROSE
    packed("test", "notes.llmz")
    assert packed("cat", "notes.llmz").stdout == PROSE
    assert packed("-dc", stdin=(packed.folder / "notes.llmz").read_bytes()).stdout == PROSE


def test_a_model_has_several_names(packed):
    archive = (packed.folder / "notes.llmz").read_bytes()
    for name in (packed.sha256[:10], "tiny.lzpack"):
        assert packed("-qcm", name, "notes").stdout == archive


def test_a_model_that_is_not_here_is_named_with_what_to_do(packed):
    for verb in (["-d"], ["test"], ["cat"], ["recover", "-o", "saved"]):
        line = packed.fails(*verb, "notes.llmz", "-f", code=3, store=False)
        assert "'tiny'" in line and packed.sha256 in line
        assert "llmzip models import" in line
    packed("test", "--quick", "notes.llmz", store=False)
    assert "saved" not in packed.names()
    assert (packed.folder / "notes").read_bytes() == PROSE


def test_a_model_that_pull_knows_is_pulled(packed):
    packed("models", "import", "tiny.lzpack", "--name", "smollm2")
    packed("-qfm", "smollm2", "notes")
    line = packed.fails("-t", "notes.llmz", code=3, store=False)
    assert "llmzip models pull smollm2" in line
    line = packed.fails("-m", "nothing", "notes", "-f", code=3)
    assert "model nothing: " in line and "llmzip models list" in line


def test_decoding_takes_the_path_of_a_pack(packed):
    for verb in (["-dc"], ["cat"], ["recover", "-c"]):
        done = packed(*verb, "-m", "tiny.lzpack", "notes.llmz", store=False)
        assert done.stdout == PROSE
    packed("test", "-m", "tiny.lzpack", "notes.llmz", store=False)
    other = synthetic.pack(packed.folder / "other.gguf")
    changed = bytearray(other)
    changed[-20] ^= 1
    packed.write("other.lzpack", bytes(changed))
    line = packed.fails("-t", "-m", "other.lzpack", "notes.llmz", code=3, store=False)
    assert packed.sha256 in line and "other.lzpack is another one" in line


def test_a_damaged_pack_is_not_used(packed):
    (path,) = (packed.folder / "store").glob("*.lzpack")
    data = bytearray(path.read_bytes())
    data[-20] ^= 1
    path.write_bytes(data)
    assert "is damaged" in packed.fails("-t", "notes.llmz", code=1)
    assert "is damaged" in packed.fails("-fm", "tiny", "notes", code=1)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-1", "-m", "tiny"], "use level 3 or more"),
        (["-2", "-m", "tiny"], "use level 3 or more"),
        (["-p", "cm", "-m", "tiny"], "predictor cm takes no model"),
        (["-p", "llm"], "predictor llm needs a model: name one with -m"),
    ],
)
def test_what_makes_no_sense_is_refused(packed, arguments, said):
    before = (packed.folder / "notes.llmz").read_bytes()
    assert said in packed.fails(*arguments, "-f", "notes", code=2)
    assert (packed.folder / "notes.llmz").read_bytes() == before


def test_it_says_beforehand_what_it_takes(packed):
    said = packed("-fm", "tiny", "notes").stderr.decode()
    assert "notes: with model tiny up to " in said and "MiB of memory" in said
    assert packed("-qfm", "tiny", "notes").stderr == b""


def test_content_that_is_no_text_does_not_need_the_model(packed):
    content = bytes(range(0, 256, 5)) * 3000
    packed.write("numbers", content)
    packed("-qm", "tiny", "numbers")
    plain = packed("-qc", "numbers").stdout
    assert (packed.folder / "numbers.llmz").read_bytes() == plain
    packed("-t", "numbers.llmz", store=False)


def test_adaptation_can_be_switched_off(packed):
    # Printable noise first: there the tiny model is asked, and learns from 256 tokens on.
    content = bytes(32 + (n * n * 7919 >> 5) % 95 for n in range(400)) + PROSE
    packed.write("both", content)
    sizes = []
    for option in ([], ["--no-adapt"]):
        packed("-qfm", "tiny", *option, "both")
        (segment,) = json.loads(packed("list", "--json", "both.llmz").stdout)["archives"][0][
            "segments"
        ]
        sizes.append((segment["length"], segment["settings"][-2:]))
        assert packed("-dc", "both.llmz").stdout == content
    assert sizes[0][0] != sizes[1][0]
    # The other flag stays: the text is wrapped.
    assert [size[1] for size in sizes] == ["03", "02"]


def test_memory_counts_the_model(packed):
    need = json.loads(packed("list", "--json", "notes.llmz").stdout)["archives"][0]
    assert need["decoder_memory"] > len((packed.folder / "tiny.lzpack").read_bytes())
    assert "raise it with -M" in packed.fails("-t", "-M40M", "notes.llmz", code=3)
    assert "raise it with -M" in packed.fails("-qfm", "tiny", "-M40M", "notes", code=3)


def test_a_lost_header_needs_the_model_by_hand(packed):
    archive = (packed.folder / "notes.llmz").read_bytes()
    packed.write("broken.llmz", b"?" * 30 + archive[30:])
    done = packed("recover", "broken.llmz", "-o", "saved", code=3)
    assert b"name that with -m" in done.stderr.splitlines()[-1]
    assert "saved" not in packed.names()
    packed("recover", "-m", "tiny", "broken.llmz", "-o", "saved")
    assert (packed.folder / "saved").read_bytes() == PROSE
