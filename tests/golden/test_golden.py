"""Golden archives: llmzip makes the same bytes again, reads them, and refuses the broken ones."""

import functools
import hashlib
import io
import itertools
import json
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

import reference
from golden import make
from golden.parts import CODED, CONSTANT, STORED, STORED_AFTER_CODING
from llmzip import _native, errors
from llmzip.archive import read_archive
from llmzip.base import Bases
from llmzip.directory import read_directory
from llmzip.limits import Limits
from llmzip.models import embedded
from reference import container
from reference.circuit import Circuit
from reference.circuit_images import Images
from reference.cm import CLASSES, LEVELS, Cm
from reference.errors import CorruptError, ModelError
from reference.llm import Llm
from reference.llm_lines import Unfolding
from reference.predictors import PREDICTORS
from reference.tensor import MIXED, Tensor

FOLDER = Path(__file__).parent
CLOSE = Unfolding.close
# Predictors that a segment's settings choose among.
FORMS = {"circuit": (Circuit, Images)}
END_TOKEN = Llm.end_token
MANIFEST = json.loads((FOLDER / "manifest.json").read_bytes())


def load(kind, entry):
    data = (FOLDER / kind / f"{entry['name']}.llmz").read_bytes()
    assert sha256(data) == entry["archive_sha256"]
    return data


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def good(entries):
    return pytest.mark.parametrize("entry", entries, ids=lambda entry: entry["name"])


def test_reference_has_every_predictor_that_is_described():
    assert sorted(PREDICTORS) == make.described()
    assert {id for id, _, _ in _native.predictors()} - make.NOT_DESCRIBED == set(make.ids())
    assert set(_native.model_predictors()) <= set(PREDICTORS)
    assert {id for id, _, _ in _native.predictors()} >= make.NOT_DESCRIBED


def test_llmzip_makes_the_same_files_again():
    made, there = make.files(), make.stored()
    assert sorted(made) == sorted(there)
    assert [name for name in made if made[name] != there[name]] == []


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """The pack of the tiny model."""
    path = tmp_path_factory.mktemp("model") / "tiny.lzpack"
    path.write_bytes(make.pack())
    return path


def rows_circuit() -> bytes:
    """The circuit of golden archives, out of the one that brings it: training may change."""
    with (FOLDER / "good" / "circuit-embedded.llmz").open("rb") as file:
        (archive,) = read_directory(file)
        return embedded.read(file, archive.offset, archive.header, Limits())


@pytest.fixture(scope="module")
def circuit(tmp_path_factory):
    """The pack of the circuit."""
    path = tmp_path_factory.mktemp("circuit") / "rows.lzpack"
    path.write_bytes(rows_circuit())
    return path


@good(MANIFEST["good"])
def test_llmzip_reads(entry, tiny, circuit):
    sink = io.BytesIO()
    bases = Bases(str(FOLDER / "good"), model=str(circuit if "circuit" in entry else tiny))
    summary = read_archive(io.BytesIO(load("good", entry)), sink, bases=bases)
    assert sha256(sink.getvalue()) == entry["content_sha256"]
    assert summary.raw_bytes == entry["content_bytes"]
    assert summary.archive_bytes == entry["archive_bytes"]


# The reference takes long where a model predicts; there is a hand-llm of the same levels.
TWICE = {"llm-3", "llm-6", "llm-7"}
READ = [entry for entry in MANIFEST["good"] if entry["name"] not in TWICE]


class Reading(NamedTuple):
    """What the reference makes of an archive, and what it meets on its way."""

    content: str
    methods: list
    """Of planes of tensors."""
    ends: list
    """Decisions whether a token ends."""
    lines: list
    """Runs of spaces that may be line ends, and whether they are."""
    chunks: set
    """By predictor, and by plan of `cm`, the types of chunks."""


@functools.cache
def by_reference(name):
    """Reads a good archive, once for all tests."""
    (entry,) = (entry for entry in MANIFEST["good"] if entry["name"] == name)
    reading = Reading("", [], [], [], set())
    plans = {}
    decode_chunk = container.Chunk.decode

    def cm(settings, raw_len):
        made = Cm(settings, raw_len)
        plans[made] = (settings[0], settings[1])
        return made

    def close(block, code):
        return CLOSE(block, lambda p: reading.lines.append(code(p)) or reading.lines[-1])

    def note(chunk, predictor):
        reading.chunks.add((type(predictor), chunk.type))
        reading.chunks.add((plans.get(predictor), chunk.type))
        return decode_chunk(chunk, predictor)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Tensor, "plane", watching(Tensor.plane, reading.methods))
        patch.setattr(Llm, "end_token", lambda llm: reading.ends.append(llm.open) or END_TOKEN(llm))
        patch.setattr(Unfolding, "close", close)
        patch.setattr(container.Chunk, "decode", note)
        patch.setitem(PREDICTORS, make.CM, cm)
        bases = [make.inputs.mixed()] if "base" in entry else []
        archives = tied() if "other" in entry else None
        packs = [make.pack()] if "model" in entry else []
        packs += [rows_circuit()] if "circuit" in entry else []
        content = reference.decode(load("good", entry), bases, archives, packs)
    return reading._replace(content=sha256(content))


@good(READ)
def test_reference_reads(entry):
    reading = by_reference(entry["name"])
    assert reading.content == entry["content_sha256"]
    assert (MIXED in reading.methods) == (entry["name"] in MIXING)
    by_model = "model" in entry or entry["name"] in ("llm-embedded", "hand-embedded")
    assert (len(reading.ends) > 20) == by_model
    unfolded = entry["name"] in ("llm-wrapped", "hand-llm-unfolded")
    assert (sum(reading.lines) > 20) == unfolded
    assert (False in reading.lines) == unfolded


def tied():
    """The content of the archive of which another one has copies, by its content hash."""
    (entry,) = (entry for entry in MANIFEST["good"] if entry["name"] == "level-6-tied")
    return {container.content_hash(load("good", entry)): make.inputs.tied()}


@good([entry for entry in MANIFEST["good"] if "other" in entry])
def test_a_copy_from_another_archive_names_it(entry):
    data = load("good", entry)
    ((hash, content),) = tied().items()
    assert container.needed(data) == [hash]
    with pytest.raises(errors.ModelError):
        read_archive(io.BytesIO(data), None)
    for others in ({}, {hash: content[:-1]}, {b"x" * 32: content}):
        with pytest.raises(ModelError):
            reference.decode(data, (), others)
    # What is copied has checks of its own.
    start = 8 + int.from_bytes(content[:8], "little")
    broken = content[:start] + bytes([content[start] ^ 1]) + content[start + 1 :]
    with pytest.raises(CorruptError):
        reference.decode(data, (), {hash: broken})


@pytest.mark.parametrize("arguments", ["beside", "given", "alone"])
def test_the_reference_program_finds_what_an_archive_has_from_others(tmp_path, arguments):
    (entry,) = (entry for entry in MANIFEST["good"] if "other" in entry)
    (tmp_path / "a.llmz").write_bytes(load("good", entry))
    (tmp_path / "apart").mkdir()
    other = tmp_path / ("beside.llmz" if arguments == "beside" else "apart/x.llmz")
    other.write_bytes((FOLDER / "good" / f"{entry['other']}.llmz").read_bytes())
    command = [sys.executable, "-m", "reference", str(tmp_path / "a.llmz")]
    command += [str(other)] if arguments == "given" else []
    done = subprocess.run(command, cwd=FOLDER.parent, capture_output=True, check=False)
    if arguments == "alone":
        assert (done.returncode, done.stdout) == (1, b"") and b"not here" in done.stderr
    else:
        assert (done.returncode, done.stderr) == (0, b"")
        assert sha256(done.stdout) == entry["content_sha256"]


# Archives with planes that are mixed; which one is a base.
KINDS = ("bf16", "f32", "f64", "f16", "f8e4m3", "f8e5m2")
MIXING = {f"tensor-8-{kind}" for kind in KINDS} | {"level-8-mixed"}


def watching(plane, seen):
    def watched(self, fields, *rest):
        seen.append(fields.data[0])
        return plane(self, fields, *rest)

    return watched


@pytest.fixture(scope="module")
def mixed():
    """The content of the archive that is the base of others."""
    return make.inputs.mixed()


@good([entry for entry in MANIFEST["good"] if "base" in entry])
def test_a_change_names_its_base(entry, mixed):
    (base,) = (other for other in MANIFEST["good"] if other["name"] == entry["base"])
    assert sha256(mixed) == base["content_sha256"]
    data = load("good", entry)
    assert bytes.fromhex(base["content_sha256"]) in data
    with pytest.raises(errors.ModelError):
        read_archive(io.BytesIO(data), None)
    for bases in ([], [mixed[:-1] + b"x"]):
        with pytest.raises(ModelError):
            reference.decode(data, bases)


@good(MANIFEST["bad"])
@pytest.mark.parametrize("keep", [True, False], ids=["decode", "test"])
def test_llmzip_refuses(entry, keep):
    sink = io.BytesIO() if keep else None
    with pytest.raises(errors.LlmzError) as caught:
        read_archive(io.BytesIO(load("bad", entry)), sink)
    assert type(caught.value).__name__ == entry["error"], str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_set_holds_every_chunk_type_of_every_predictor_and_every_plan_of_cm():
    names = [entry["name"] for entry in READ if entry["name"].startswith(("hand-", "cm-"))]
    seen = set().union(*(by_reference(name).chunks for name in names))
    for plan in itertools.product(LEVELS, CLASSES):
        assert {(plan, CODED), (plan, STORED_AFTER_CODING)} <= seen
    for kind, predictor in PREDICTORS.items():
        types = {STORED} if kind[0] == "store" else {STORED, CODED, CONSTANT, STORED_AFTER_CODING}
        for form in FORMS.get(kind[0], (predictor,)):
            assert {type_ for made_by, type_ in seen if made_by is form} >= types
