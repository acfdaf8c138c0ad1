"""`llmzip measure --chunk` and `--context`: what the protocols of papers count."""

from __future__ import annotations

import csv
import json
import math
import zlib
from pathlib import Path
from random import Random

import pytest

import synthetic
from llmzip import _native
from llmzip.measure.chunks import measure_chunks, payload_bytes
from llmzip.measure.tokens import measure_tokens
from llmzip.segments import SegmentSettings, encode_segment

TEXT = (synthetic.TEXT + ".\n").encode() * 60


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "text"
    path.write_bytes(TEXT)
    return path


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.lzpack"
    path.write_bytes(synthetic.pack(tmp_path / "tiny.gguf"))
    return path


def test_chunks_are_coded_alone(llmzip, text):
    ran = llmzip("measure", "--chunk", "1K", "--with", "llmzip:3,gzip", "--json", str(text))
    (report,) = [json.loads(line) for line in ran.stdout.splitlines()]
    rows = {(row["file"], row["compressor"]): row for row in report["results"]}
    own, bare = rows["text", "llmzip:3"], rows["text", "deflate:9"]
    pieces = [TEXT[at : at + 1024] for at in range(0, len(TEXT), 1024)]
    assert own["chunks"] == bare["chunks"] == len(pieces)
    segments = [encode_segment(piece, SegmentSettings(3)) for piece in pieces]
    assert own["coded_bytes"] == sum(map(payload_bytes, segments))
    # A head of a segment and of its chunk are what is left out.
    assert all(20 < len(one) - payload_bytes(one) < 60 for one in segments)
    assert own["coded_bytes"] < bare["coded_bytes"] < len(TEXT)
    assert own["rate"] == pytest.approx(100 * own["coded_bytes"] / len(TEXT))
    checks = [row for row in report["results"] if row["check"]]
    assert {row["compressor"] for row in checks} == {"llmzip:3", "deflate:9"}
    for row in checks:
        assert 100 <= row["rate"] <= 100.6


def test_random_chunks_of_the_paper_stay_as_they_are(tmp_path):
    path = tmp_path / "noise"
    path.write_bytes(Random(5).randbytes(40_000))
    found = measure_chunks([str(path)], "llmzip,cm:3")
    assert {result.compressor for result in found} == {"llmzip:6", "cm:3"}
    assert all(result.ok and 100 <= result.rate <= 100.3 for result in found)


def test_a_model_counts(llmzip, text, pack):
    size = pack.stat().st_size
    ran = llmzip("measure", "--chunk", "2K", "-3", "-m", str(pack), "--bytes", "4K", str(text))
    assert b"text, 4,096 bytes in 2 chunks of 2,048" in ran.stdout
    (found, check) = measure_chunks([str(text)], [f"llm:{pack}:3"], limit=4096)
    assert found.ok and check.ok and found.model_bytes == size
    assert found.adjusted_rate == pytest.approx(found.rate + 100 * size / 4096)
    assert 100 <= check.rate <= 100.3


def test_a_model_that_is_missing_is_a_row(llmzip, text):
    ran = llmzip("measure", "--chunk", "2K", "--with", "llm:absent,gzip", str(text), code=3)
    assert b"deflate:9" in ran.stdout and b"llm:absent:6: its model is not here" in ran.stdout
    assert b"models import" in ran.stderr
    ran = llmzip("measure", "--context", "64", "-m", "absent", str(text), code=3)
    assert b"absent: its model is not here" in ran.stdout and b"models import" in ran.stderr


def test_tokens_cost_what_the_model_says(llmzip, text, pack, tmp_path):
    table = tmp_path / "out.csv"
    ran = llmzip("measure", "--context", "50", "-m", str(pack), "--csv", str(table), str(text))
    assert b"bits for each character" in ran.stdout
    (row,) = csv.DictReader(table.open())
    model = _native.Model(pack.read_bytes(), 1)
    tokens = model.tokens(TEXT)
    told = model.tell(tokens, 50, 3)
    assert int(row["tokens"]) == len(tokens) == len(told)
    bits = [nats / math.log(2) for nats, _, _ in told]
    assert float(row["entropy_bits"]) == pytest.approx(sum(bits))
    assert int(row["token_bits"]) == sum(math.ceil(cost) for cost in bits)
    ranks = bytes(rank if rank < 128 else 0 for _, rank, _ in told)
    if max(rank for _, rank, _ in told) < 128:
        assert int(row["rank_bytes"]) == len(zlib.compress(ranks, 9))
    for token, (nats, rank, likeliest) in zip(tokens, told, strict=True):
        assert len(likeliest) == 3 and likeliest[0][1] >= likeliest[1][1] >= likeliest[2][1]
        if rank < 3:
            assert likeliest[rank][0] == token
            assert -math.log(likeliest[rank][1]) == pytest.approx(nats)
        else:
            assert nats >= -math.log(likeliest[2][1]) - 1e-9
    # Without the token that a window begins with, the model says the same of the rest.
    alone = model.costs([0, *tokens[:49]], 50)
    assert alone[1:] == pytest.approx([nats for nats, _, _ in told[:49]])


def test_spellings_are_the_text(pack):
    model = _native.Model(pack.read_bytes(), 1)
    assert b"".join(model.spelling(token) or b"" for token in model.tokens(TEXT)) == TEXT
    assert model.spelling(10**6) is None


def test_characters_are_not_cut(tmp_path, pack):
    path = tmp_path / "text"
    path.write_text("ab漢字漢字")
    (found,) = measure_tokens([str(path)], [str(pack)], limit=7)
    assert (found.raw_bytes, found.characters) == (5, 3)
    path.write_bytes(b"\xff\xfe" * 4)
    (found,) = measure_tokens([str(path)], [str(pack)])
    assert found.characters is None and found.units == 8


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--chunk", "0"], "not a size"),
        (["--chunk", "2K", "--context", "9"], "choose one"),
        (["--chunk", "2K", "--with", "zpaq"], "no bare streams"),
        (["--chunk", "2K", "--report", "x.html"], "--report"),
        (["--context", "9"], "needs a language model"),
        (["--context", "1", "-m", "x"], "at least 2"),
        (["--context", "9", "-m", "x", "--with", "xz"], "no compressors"),
        (["--bytes", "9"], "goes with"),
        (["--hf", "x"], "goes with"),
    ],
)
def test_what_does_not_go_together(llmzip, text, options, words):
    assert words in llmzip.fails("measure", *options, str(text), code=2)


def test_empty_and_missing_files_are_lines(llmzip, tmp_path, text):
    (tmp_path / "empty").touch()
    ran = llmzip("measure", "--chunk", "2K", "--with", "gzip", "empty", "absent", "text", code=1)
    assert b"empty: is empty" in ran.stderr and b"absent" in ran.stderr
    assert b"deflate:9" in ran.stdout


def test_no_file_that_is_measured_is_written_over(llmzip, text):
    before = text.read_bytes()
    line = llmzip.fails("measure", "--chunk", "2K", "-f", "--csv", str(text), str(text.parent))
    assert "input" in line and text.read_bytes() == before
