"""Where bits go: costs that add up to what archives take, and sums of them."""

from __future__ import annotations

import struct
from pathlib import Path
from random import Random

import numpy as np
import pytest

import llmzip
import synthetic
from llmzip import _native
from llmzip.errors import ModelError, UsageError
from llmzip.explain import Explained, explain
from llmzip.tensors.numpy import save_file

SAMPLE = Path(__file__).parents[3] / "corpora/samples/us-constitution.txt"
TEXT = SAMPLE.read_bytes()[:12_000]


def coded(data: bytes, predictor: str, level: int) -> int:
    """Bytes of the chunks of a segment."""
    settings = _native.settings(predictor, 1, level, data)
    encoder = _native.Encoder(predictor, 1, settings, len(data))
    encoder.look_ahead(data)
    encoder.write(data)
    return len(encoder.finish_chunk())


def test_bytes_cost_what_an_archive_takes() -> None:
    found = explain(TEXT, level=4)
    assert found.units is not None and found.units.unit == "byte"
    assert found.units.content == TEXT and len(found.units.costs) == len(TEXT)
    assert abs(found.bits / 8 - coded(TEXT, "cm", 4)) < 4
    assert found.bits_per_byte == found.bits / len(TEXT)
    # A part of it costs the same, whatever is told before it.
    part = explain(TEXT, level=4, begin=5000, length=700)
    assert part.units is not None
    assert list(part.units.costs) == list(found.units.costs[5000:5700])
    assert (part.begin, part.length, part.size) == (5000, 700, len(TEXT))
    assert part.units.content == TEXT[5000:5700]


def test_alternatives_and_carriers() -> None:
    units = explain(b"a line that comes again and again\n" * 60, level=4).units
    assert units is not None and units.count == 5
    assert len(units.tops) == len(units.chances) == 5 * len(units.costs)
    late = range(1500, 2000)
    for unit in late:
        assert units.symbols[units.tops[5 * unit]] == units.content[unit : unit + 1]
        chances = units.chances[5 * unit : 5 * unit + 5]
        assert chances[0] > 0.8 and list(chances) == sorted(chances, reverse=True)
    assert units.carriers is not None
    named = {units.names[units.carriers[unit]] for unit in late if units.carriers[unit] != 255}
    assert named and all(name.strip() for name in named)


def test_segments_begin_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llmzip.route._SEGMENT_SIZES", dict.fromkeys(range(1, 10), 4000))
    found = explain(TEXT, level=4)
    sizes = [coded(TEXT[at : at + 4000], "cm", 4) for at in range(0, len(TEXT), 4000)]
    assert abs(found.bits / 8 - sum(sizes)) < 4 * len(sizes)
    across = explain(TEXT, level=4, begin=3500, length=1000)
    assert found.units is not None and across.units is not None
    assert list(across.units.costs) == list(found.units.costs[3500:4500])


def test_sums_add_up() -> None:
    found = explain(TEXT + bytes(3000), level=3)
    curve = found.curve()
    ends = [at for at, _ in curve[1:]] + [found.length]
    assert len(curve) <= 200 and curve[0][0] == 0
    steps = sum(rate * (end - at) for (at, rate), end in zip(curve, ends, strict=True))
    assert steps == pytest.approx(found.bits, rel=1e-6)
    for sums in (found.histogram(), found.shares()):
        assert sum(one.units for one in sums) == found.length
        assert sum(one.bits for one in sums) == pytest.approx(found.bits, rel=1e-6)
    places = found.places(5)
    assert [place.bits for place in places] == sorted((p.bits for p in places), reverse=True)
    covered = [n for place in places for n in range(place.offset, place.offset + place.length)]
    assert len(covered) == len(set(covered)) and max(covered) < len(TEXT)
    assert found.units is not None
    top = places[0]
    own = sum(found.units.costs[top.offset : top.offset + top.length])
    assert own == pytest.approx(top.bits, rel=1e-5)


def table(rows: int) -> bytes:
    random = Random(1)
    lines = ["city,country,noise"]
    for row in range(rows):
        city = (row * row // 7) % 5
        lines.append(f"{'abcde'[city]}town,{'XXYYZ'[city]},{random.randrange(10_000)}")
    return "".join(line + "\n" for line in lines).encode()


def test_columns_add_up_to_the_table() -> None:
    data = table(3000)
    found = explain(data, level=5, predictor="pc", length=200)
    names = [column.name for column in found.columns if column.is_cell]
    assert names == ["city", "country", "noise"]
    bits = {column.name: column.bits for column in found.columns}
    assert bits["noise"] > 20 * (bits["city"] + bits["country"]) > 0
    assert abs(sum(bits.values()) / 8 - coded(data, "pc", 5)) < 8
    assert found.rows == 3000 and found.length == 200
    # Chosen without being asked for, as compress does.
    assert explain(data, level=5, length=50).columns == found.columns
    assert explain(data, level=5, length=50, predictor="cm").columns == ()
    lines = [
        b'{"place": {"city": "%s"}, "n": %d}\n' % (b"ab"[r % 2 :][:1], r * 7919 % 9973)
        for r in range(2000)
    ]
    json_names = [
        c.name for c in explain(b"".join(lines), predictor="pc", length=9).columns if c.is_cell
    ]
    assert json_names == ["place.city", "n"]
    with pytest.raises(UsageError, match="no table"):
        explain(TEXT, predictor="pc")


def test_rows_unlike_the_others_and_texts_are_counted() -> None:
    rows = [f"{n % 7},word{n * n % 1013} {n * 37 % 501},{n}\n" for n in range(2000)]
    rows[500] = rows[1200] = (
        "a line of another kind, that fits nothing at all, not at all, at all\n"
    )
    data = "".join(rows).encode()
    found = explain(data, predictor="pc", length=9)
    assert abs(sum(column.bits for column in found.columns) / 8 - coded(data, "pc", 6)) < 12
    assert any("unlike" in column.name for column in found.columns if not column.is_cell)
    assert [c.name for c in found.columns if c.is_cell] == [
        "column 1, as 0",
        "column 2, as word0 0",
        "column 3, as 0",
    ]


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    random = np.random.default_rng(1)
    tensors = {
        "weights": random.normal(0, 0.02, (200, 300)).astype(np.float32),
        "half": random.normal(0, 0.02, 30_000).astype(np.float16),
        "zeros": np.zeros(20_000, np.float32),
        "steps": np.repeat(np.float32([0.5, 0.25, 1.5]), 5000),
    }
    path, archive = tmp_path / "model.safetensors", tmp_path / "saved.llmz"
    save_file(tensors, archive)
    path.write_bytes(llmzip.decompress(archive.read_bytes()))
    return path


def test_tensors_and_their_fields(checkpoint: Path, tmp_path: Path) -> None:
    found = explain(checkpoint, level=6)
    assert found.units is None
    by_name = {tensor.name: tensor for tensor in found.tensors}
    assert set(by_name) == {"weights", "half", "zeros", "steps"}
    weights = by_name["weights"]
    assert (weights.kind, weights.shape, weights.raw_bytes) == ("f32", (200, 300), 240_000)
    fields = {field.name: field.coded_bytes for field in weights.fields}
    assert next(iter(fields)) == "exponent" and len(fields) == 4
    # Mantissas of noise are noise: 16 of 32 bits, and 7 and the sign nearly so.
    assert 60_000 <= fields["mantissa, byte 0"] < 60_100
    assert 15_000 < fields["exponent"] < 30_000
    taken = sum(fields.values())
    assert taken < weights.coded_bytes < taken + 3000
    assert by_name["zeros"].fields == () and by_name["zeros"].coded_bytes < 100
    assert sum(t.coded_bytes for t in found.tensors) == found.coded_bytes
    archive = tmp_path / "model.safetensors.llmz"
    archive.write_bytes(llmzip.compress(checkpoint.read_bytes(), level=6))
    again = explain(archive)
    assert again.tensors == found.tensors and again.predictor == "as the archive has them"
    assert explain(archive.read_bytes()).tensors == found.tensors
    summed = dict(found.fields())
    assert {f.name: f.coded_bytes for f in summed["f16"]}.keys() == {
        "sign, exponent, top of mantissa",
        "mantissa",
    }
    assert explain(checkpoint, predictor="cm", length=100).units is not None
    with pytest.raises(UsageError, match="no tensors"):
        explain(TEXT, predictor="tensor")


def test_an_archive_is_what_it_holds(tmp_path: Path) -> None:
    path = tmp_path / "a.llmz"
    path.write_bytes(llmzip.compress(TEXT, level=3))
    found = explain(path, level=4, begin=100, length=900)
    plain = explain(TEXT, level=4, begin=100, length=900)
    assert found.size == len(TEXT) and found.units == plain.units


def test_tokens_cost_what_the_model_says(tmp_path: Path) -> None:
    pack = tmp_path / "tiny.lzpack"
    pack.write_bytes(synthetic.pack(tmp_path / "tiny.gguf"))
    text = (synthetic.TEXT + " \xe9\n").encode() * 20
    found = explain(text, model=str(pack))
    units = found.units
    assert units is not None and units.unit == "token" and units.content == text
    assert units.lengths is not None and sum(units.lengths) == len(text)
    model = _native.Model(pack.read_bytes(), 1)
    tokens = model.tokens(text)
    told = model.tell(tokens, model.context, 5)
    assert found.bits == pytest.approx(sum(row[0] for row in told) / np.log(2), rel=1e-4)
    likely = told[7][2][0]
    assert units.symbols[units.tops[35]] == (model.spelling(likely[0]) or b"")
    assert units.chances[35] == pytest.approx(likely[1], rel=1e-4)
    assert max(place.offset + place.length for place in found.places()) <= len(text)
    with pytest.raises(ModelError):
        explain(text, model="no such model")


def test_what_is_empty_or_pixels() -> None:
    empty = explain(b"")
    assert (empty.bits, empty.bits_per_byte, empty.curve(), empty.places()) == (0, None, [], [])
    picture = bytes(np.add.outer(np.arange(200), np.arange(200)).astype(np.uint8).ravel())
    idx = struct.pack(">IIII", 0x803, 1, 200, 200) + picture
    for data in (idx, b"\x01"):
        found = explain(data, predictor="cm")
        assert found.units is not None and len(found.units.costs) == len(data)
        assert found.units.count in (0, 5)


def test_what_makes_no_sense_is_refused() -> None:
    wrong: tuple[dict[str, object], ...] = (
        {"level": 2},
        {"predictor": "zstd"},
        {"begin": len(TEXT)},
        {"begin": -1},
        {"length": 0},
        {"length": 1 << 30},
        {"model": "x", "predictor": "cm"},
    )
    for options in wrong:
        with pytest.raises(UsageError):
            explain(TEXT, **options)  # type: ignore[arg-type]


def test_progress_is_told() -> None:
    steps: list[tuple[str, int, int]] = []
    explain(TEXT * 4, level=3, begin=30_000, progress=lambda *step: steps.append(step))
    assert {step[0] for step in steps} == {"learning what comes before", "bytes"}
    assert steps[-1][1:] == (len(TEXT) * 4 - 30_000,) * 2


def test_reports_are_plain_values() -> None:
    found = explain(TEXT, level=3, length=500)
    assert isinstance(found, Explained)
    facts = found.as_dict()
    assert len(facts["costs"]) == 500 and facts["unit"] == "byte"
    assert sum(facts["costs"]) == pytest.approx(facts["bits"], abs=0.05)
