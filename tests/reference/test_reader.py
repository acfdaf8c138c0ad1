"""The reference reader: what llmzip's predictors coded, every way to break it, and its command."""

import io
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import reference
from golden import bad, columns, inputs, make
from golden.parts import CODED, CONSTANT, STORED, Archive, coded_segment, model_record
from llmzip import _native
from reference import errors
from reference.predictors import PREDICTORS

BAD = list(bad.cases())


@pytest.mark.parametrize(
    "predictor", [p for p in sorted(PREDICTORS) if p[0] != "store"], ids=lambda p: p[0]
)
def test_reads_chunks_that_llmzip_coded(predictor):
    # zstd has blocks of up to 128 KiB; the reference of cm is slow.
    size = {"zstd": 200_000, "llm": 6_000}.get(predictor[0], 40_000)
    text = inputs.rows(800) if predictor[0] == "circuit" else inputs.text(size)
    size = len(text)
    settings = _native.settings(*predictor[:2], 3, text)
    raws = [
        (CODED, text[: size * 3 // 4]),
        (CONSTANT, b"\0" * 1_000_000),
        (CODED, inputs.random(3000)),
        (STORED, b"as it is"),
        (CODED, text[size // 4 :]),
        (CODED, b"!"),
    ]
    packs = {"llm": make.pack, "circuit": columns.circuit}
    native = {"llm": lambda pack: _native.Model(pack, 1), "circuit": _native.Circuit}
    pack = packs[predictor[0]]() if predictor[0] in packs else None
    model = native[predictor[0]](pack) if pack else None
    segment = coded_segment(predictor, settings, raws, model=model)
    types = [chunk.type for chunk in segment.chunks]
    assert types[:5] == [1, 2, 3, 0, 1]
    other = coded_segment(predictor, settings, raws[:1], model=model)
    archive = Archive([predictor], [segment, other], level=3)
    if pack:
        archive.records[5] = model_record(pack)
    assert reference.decode(archive.build(), packs=[pack] if pack else []) == archive.content()


def test_empty_and_concatenated():
    empty = Archive([bad.STORE], [])
    assert reference.decode(empty.build()) == b""
    one = bad.good()
    joined = one.build() + empty.build() + one.build()
    assert reference.decode(joined) == one.content() * 2


@pytest.mark.parametrize("broken", BAD, ids=lambda broken: broken.name)
def test_refuses_what_is_broken_by_its_class(broken):
    with pytest.raises(errors.ArchiveError) as caught:
        reference.decode(broken.data)
    assert type(caught.value).__name__ == broken.error


def test_names_of_broken_archives_differ():
    assert len({broken.name for broken in BAD}) == len(BAD) > 80


def test_every_prefix_is_truncated():
    data = bad.good().build()
    for length in range(len(data)):
        with pytest.raises(errors.TruncatedError):
            reference.decode(data[:length])


def test_every_flipped_bit_is_refused_or_harmless():
    archive = bad.good()
    data = archive.build()
    content = archive.content()
    harmless = set()
    for place in range(8 * len(data)):
        flipped = bytearray(data)
        flipped[place // 8] ^= 1 << place % 8
        try:
            assert reference.decode(bytes(flipped)) == content
            harmless.add(place // 8)
        except errors.ArchiveError:
            pass
    assert harmless == set(), "each byte stands under a check"


def test_another_prediction_is_told_from_damage():
    archive = bad.good()
    archive.segments[0] = replace(archive.segments[0], canary=1)
    with pytest.raises(errors.PredictionMismatch):
        reference.decode(archive.build())


def test_command(tmp_path):
    archive = bad.good()
    path = tmp_path / "a.llmz"
    path.write_bytes(archive.build())

    def run(*arguments):
        return subprocess.run(
            [sys.executable, "-m", "reference", *arguments],
            cwd=Path(__file__).parents[1],
            capture_output=True,
        )

    done = run(path)
    assert (done.returncode, done.stdout, done.stderr) == (0, archive.content(), b"")
    path.write_bytes(archive.build()[:-1])
    refused = run(path)
    assert (refused.returncode, refused.stdout) == (1, b"")
    assert refused.stderr.count(b"\n") == 1
    assert b"ends too early" in refused.stderr
    assert run().returncode == 2


def test_copies_of_another_archive(tmp_path):
    from llmzip.archive import write_archive
    from llmzip.directory import read_directory
    from llmzip.options import Options
    from llmzip.siblings import Folder

    folder = Folder()
    made = []
    for level in (1, 3):
        path = tmp_path / f"{level}.llmz"
        with path.open("wb") as sink:
            content = inputs.tied()
            write_archive(io.BytesIO(content), sink, Options(level=level), folder=folder)
        made.append(path.read_bytes())
        folder.add(str(path))
    first, second = made
    assert len(second) < len(first) / 2
    content_hash = read_directory(io.BytesIO(first))[0].footer.content_hash
    assert reference.decode(second, archives={content_hash: reference.decode(first)}) == content
    with pytest.raises(errors.ModelError):
        reference.decode(second)
    with pytest.raises(errors.CorruptError):
        reference.decode(second, archives={content_hash: content[::-1]})


def test_command_with_a_base(tmp_path):
    golden = Path(__file__).parents[1] / "golden" / "good" / "level-1-change.llmz"
    base = tmp_path / "base.safetensors"
    base.write_bytes(inputs.mixed())

    def run(*arguments):
        return subprocess.run(
            [sys.executable, "-m", "reference", golden, *arguments],
            cwd=Path(__file__).parents[1],
            capture_output=True,
        )

    assert run(base).stdout == inputs.tuned()
    missing = run()
    assert (missing.returncode, missing.stdout) == (1, b"")
    assert b"is not here" in missing.stderr
