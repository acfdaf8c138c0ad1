"""Equal tensors are stored once: within a file, and across the files of a folder."""

from __future__ import annotations

import io
import random
import struct
from hashlib import sha256
from pathlib import Path

import pytest

import llmzip
from golden import bad
from golden.parts import (
    CODED,
    COPIED,
    COPY,
    KEPT,
    STORED,
    Archive,
    Chunk,
    Segment,
    coded_segment,
    varint,
)
from llmzip import Limits, LlmzFile, Options, _native
from llmzip.archive import check_coded, read_archive, write_archive
from llmzip.base import Base, Bases
from llmzip.directory import read_directory
from llmzip.errors import CorruptError, LimitError, ModelError, VerifyError
from llmzip.recovery import recover
from llmzip.seeking import RandomAccess
from llmzip.siblings import Folder
from llmzip.tensors import decompress_into, safe_open

from .helpers import entry, safetensors

STORE = ("store", 1, 0)
TENSOR = ("tensor", 1, 3)
SIZE = 80_000


def noise(seed: int, size: int = SIZE) -> bytes:
    """f32 weights."""
    source = random.Random(seed)
    return b"".join(struct.pack("<f", source.gauss(0, 0.05)) for _ in range(size // 4))


def checkpoint(*tensors: tuple[str, list[int], bytes]) -> bytes:
    table, data = {}, b""
    for name, shape, raw in tensors:
        table[name] = entry("F32", shape, len(data), len(data) + len(raw))
        data += raw
    return safetensors(table, data)


EMBEDDING, OTHER, THIRD = noise(1), noise(2), noise(3)
TIED = checkpoint(
    ("embedding", [100, 200], EMBEDDING),
    ("layer", [200, 100], OTHER),
    ("head", [200, 100], EMBEDDING),
    ("flat", [20_000], EMBEDDING),
)
SECOND = checkpoint(
    ("new", [20_000], THIRD),
    ("layer", [100, 200], OTHER),
    ("embedding", [100, 200], EMBEDDING),
    ("head", [200, 100], EMBEDDING),
    ("again", [20_000], THIRD),
)


class Pipe(io.RawIOBase):
    """Cannot seek."""

    def __init__(self, data: bytes) -> None:
        self._inner = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        return self._inner.read(size)


def pack(data: bytes, folder: Folder | None = None, **options: object) -> bytes:
    sink = io.BytesIO()
    write_archive(io.BytesIO(data), sink, Options(**options), folder=folder)
    return sink.getvalue()


def unpack(source, threads: int = 1, bases: Bases | None = None, **limits: int) -> bytes:
    sink = io.BytesIO()
    source = io.BytesIO(source) if isinstance(source, bytes) else source
    read_archive(source, sink, threads=threads, bases=bases, limits=Limits(**limits))
    return sink.getvalue()


def predictors(archive: bytes) -> dict[str, str]:
    found = llmzip.info(io.BytesIO(archive))
    return {s.label: s.predictor for a in found.archives for s in a.segments}


@pytest.fixture
def pair(tmp_path):
    """Two archives, the second of which has tensors of the first; and what they were made from."""
    folder = Folder()
    for name, data in (("a.st", TIED), ("b.st", SECOND)):
        path = tmp_path / f"{name}.llmz"
        path.write_bytes(pack(data, folder))
        folder.add(str(path))
    return tmp_path


@pytest.mark.parametrize("level", [1, 6, 9])
def test_tied_tensors_are_stored_once(level):
    archive = pack(TIED, level=level)
    found = predictors(archive)
    assert (found["head"], found["flat"]) == ("copy", "copy")
    assert found["embedding"] == found["layer"] == "tensor"
    assert len(archive) < len(TIED) * 0.55
    assert unpack(archive) == TIED
    assert check_coded(io.BytesIO(archive)).raw_bytes == len(TIED)


def test_content_that_lies_in_memory():
    packed = pack(TIED)
    for data in (TIED, bytearray(TIED), memoryview(TIED)):
        assert llmzip.compress(data) == packed
    out = bytearray(len(TIED))
    for threads in (1, 2):
        assert decompress_into(packed, out, threads=threads) == len(out)
        assert out == TIED


def test_threads_and_verification_change_nothing():
    made = {pack(TIED, threads=n, verify=v) for n in (1, 2, 5) for v in (True, False)}
    assert len(made) == 1


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_decoding_from_files_and_pipes(tmp_path, threads):
    archive = pack(TIED)
    twice = archive + pack(b"between") + archive
    assert unpack(twice, threads) == TIED + b"between" + TIED
    assert unpack(Pipe(twice), threads) == TIED + b"between" + TIED
    path = tmp_path / "moved"
    path.write_bytes(b"before" + archive)
    with path.open("rb") as file:
        file.seek(6)
        assert unpack(file, threads) == TIED
    with path.open("rb", buffering=0) as file:
        file.seek(6)
        with LlmzFile(file) as content:
            assert content.read() == TIED


def test_a_pipe_keeps_no_more_than_it_may():
    archive = pack(TIED)
    decoder = llmzip.Decompressor(limits=Limits())
    assert decoder.decompress(archive) == TIED
    need = read_directory(io.BytesIO(archive))[0].header.metadata.bounds.decoder_memory
    raws = [(STORED, b"x" * 1_000_000)]
    kept = [coded_segment(STORE, b"", raws) for _ in range(9)]
    for segment in kept:
        segment.flags = KEPT
    made = Archive([STORE], kept, decoder_memory=need).build()
    assert len(unpack(made, decoder_memory=4 << 20)) == 9_000_000
    for threads in (1, 2):
        with pytest.raises(LimitError, match=r"copied later.*file"):
            unpack(Pipe(made), threads, decoder_memory=4 << 20)


def test_any_place_can_be_read():
    archive = pack(TIED)
    places = random.Random(5)
    with LlmzFile(io.BytesIO(archive)) as file:
        for _ in range(40):
            at = places.randrange(len(TIED))
            file.seek(at)
            assert file.read(3000) == TIED[at : at + 3000]
    buffer = bytearray(len(TIED))
    assert decompress_into(archive, buffer, threads=2) == len(TIED)
    assert buffer == TIED


def test_one_tensor_out_of_a_copy(pair):
    for threads in (1, 2):
        with safe_open(pair / "b.st.llmz", threads=threads) as file:
            assert file.get_tensor("head").tobytes() == EMBEDDING
            assert file.get_tensor("again").tobytes() == THIRD
            rows = file.get_slice("layer")[7:9]
            assert rows.tobytes() == OTHER[7 * 800 : 9 * 800]


def test_only_equal_bytes_are_copies():
    near = EMBEDDING[:-1] + bytes([EMBEDDING[-1] ^ 1])
    data = checkpoint(("a", [20_000], EMBEDDING), ("b", [20_000], near))
    archive = pack(data)
    assert set(predictors(archive).values()) & {"copy"} == set()
    assert unpack(archive) == data


def test_an_equal_hash_is_not_enough(monkeypatch):
    # The middle is what tensors are first told apart by.
    near = bytes([EMBEDDING[0] ^ 1]) + EMBEDDING[1:]
    data = checkpoint(("a", [20_000], EMBEDDING), ("b", [20_000], near))
    monkeypatch.setattr("llmzip.duplicates.digest", lambda raw: b"all the same")
    archive = pack(data, verify=False)
    assert predictors(archive)["b"] == "tensor"
    assert unpack(archive) == data


def test_a_file_that_changes_while_it_is_read_is_refused():
    begin = TIED.index(EMBEDDING)
    reads = []

    class Changing(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            reads.append((self.tell(), size))
            found = super().read(size)
            # To be told apart, to be coded, and to be compared with what repeats it.
            return found[::-1] if reads.count((begin, SIZE)) == 2 else found

    with pytest.raises(VerifyError, match="changed"):
        write_archive(Changing(TIED), io.BytesIO(), Options(verify=False, threads=1))
    assert reads.count((begin, SIZE)) > 2


def test_small_tensors_are_coded_again():
    small = EMBEDDING[:4_000]
    data = checkpoint(("a", [1_000], small), ("b", [1_000], small), ("c", [20_000], OTHER))
    assert "copy" not in predictors(pack(data)).values()


def test_large_tensors_are_copied_in_segments():
    large = EMBEDDING * 250
    data = checkpoint(("a", [5_000_000], large), ("b", [1000, 5000], large))
    archive = pack(data, level=1)
    segments = llmzip.info(io.BytesIO(archive)).archives[0].segments
    assert [s.predictor for s in segments if s.label == "b"] == ["copy", "copy"]
    for threads in (1, 2):
        assert unpack(archive, threads) == unpack(Pipe(archive), threads) == data


def test_a_folders_later_archives_refer_to_earlier_ones(pair):
    archive = (pair / "b.st.llmz").read_bytes()
    found = predictors(archive)
    assert {name for name, used in found.items() if used == "copy"} == {
        *("layer", "embedding", "head", "again")
    }
    model = llmzip.info(io.BytesIO(archive)).archives[0].models[0]
    first = llmzip.info(pair / "a.st.llmz").archives[0]
    assert (model.kind, model.name) == ("archive", "a.st")
    assert (model.sha256, model.length) == (first.content_hash, len(TIED))
    for threads in (1, 2):
        assert unpack(archive, threads, Bases(str(pair))) == SECOND
        assert unpack(Pipe(archive), threads, Bases(None, str(pair))) == SECOND
    with LlmzFile(pair / "b.st.llmz") as file:
        assert file.read() == SECOND
        file.seek(len(SECOND) // 2)
        assert file.read() == SECOND[len(SECOND) // 2 :]


def test_what_an_archive_needs_may_have_another_name_or_be_unpacked(pair, tmp_path):
    archive = (pair / "b.st.llmz").read_bytes()
    (pair / "a.st.llmz").rename(pair / "else.llmz")
    assert unpack(archive, 1, Bases(str(pair))) == SECOND
    (pair / "else.llmz").write_bytes(pack(TIED, level=9))
    assert unpack(archive, 1, Bases(str(pair))) == SECOND
    (pair / "else.llmz").write_bytes(pack(b"an archive in front") + pack(TIED))
    assert unpack(archive, 2, Bases(str(pair))) == SECOND
    (pair / "else.llmz").unlink()
    with pytest.raises(ModelError, match=r"'a\.st\.llmz'.*'a\.st'"):
        unpack(archive, 1, Bases(str(pair)))
    (pair / "a.st").write_bytes(TIED)
    assert unpack(archive, 2, Bases(str(pair))) == SECOND
    (pair / "a.st").write_bytes(TIED[:-9_000] + bytes(9_000))
    assert unpack(archive, 2, Bases(str(pair))) == SECOND
    (pair / "a.st").write_bytes(bytes(len(TIED)))
    with pytest.raises(CorruptError, match="is not what it was"):
        unpack(archive, 1, Bases(str(pair)))
    (pair / "a.st").write_bytes(TIED[:-1])
    with pytest.raises(ModelError):
        unpack(archive, 1, Bases(str(pair)))


def test_what_an_archive_needs_is_not_looked_for_in_what_needs_others(tmp_path):
    """Equal files have equal hashes, so that an archive may seem to be what it needs itself."""
    folder = Folder()
    for name in ("a.st", "b.st", "c.st"):
        path = tmp_path / f"{name}.llmz"
        path.write_bytes(pack(TIED, folder))
        folder.add(str(path))
    (tmp_path / "a.st.llmz").unlink()
    for name in ("b.st", "c.st"):
        with pytest.raises(ModelError, match=r"'a\.st\.llmz'"):
            unpack((tmp_path / f"{name}.llmz").read_bytes(), 1, Bases(str(tmp_path)))
    (tmp_path / "a.st").write_bytes(TIED)
    for name in ("b.st", "c.st"):
        archive = (tmp_path / f"{name}.llmz").read_bytes()
        assert unpack(archive, 1, Bases(str(tmp_path))) == TIED
        with LlmzFile(tmp_path / f"{name}.llmz") as file:
            file.seek(len(TIED) - 9)
            assert file.read() == TIED[-9:]


def test_an_origin_that_has_its_tensors_from_another_archive(pair):
    """The archive it was is written anew, beside one that has the same tensors."""
    archive = (pair / "b.st.llmz").read_bytes()
    folder = Folder()
    (pair / "0.llmz").write_bytes(pack(TIED + b"more", folder))
    folder.add(str(pair / "0.llmz"))
    (pair / "a.st.llmz").write_bytes(pack(TIED, folder))
    with pytest.raises(CorruptError, match="a copy of a copy"):
        unpack(archive, 1, Bases(str(pair)))
    (pair / "a.st").write_bytes(TIED)
    assert unpack(archive, 1, Bases(str(pair))) == SECOND


def test_nothing_is_written_without_what_is_needed(pair):
    archive = (pair / "b.st.llmz").read_bytes()
    sink = io.BytesIO()
    with pytest.raises(ModelError):
        read_archive(io.BytesIO(archive), sink)
    assert sink.getvalue() == b""
    assert check_coded(io.BytesIO(archive)).raw_bytes == len(SECOND)


def test_an_archive_beside_a_damaged_one_is_refused(pair):
    path = pair / "a.st.llmz"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(CorruptError):
        unpack((pair / "b.st.llmz").read_bytes(), 1, Bases(str(pair)))


def test_recovery_of_copies(pair):
    archive = (pair / "a.st.llmz").read_bytes()
    sink = io.BytesIO()
    assert recover(io.BytesIO(archive), sink).lost == ()
    assert sink.getvalue() == TIED
    sink = io.BytesIO()
    report = recover(io.BytesIO(archive[40:]), sink)
    assert sink.getvalue() == TIED and report.lost == ()
    # The embedding is lost, and with it what repeats it.
    broken = bytearray(archive)
    broken[5_000] ^= 1
    sink = io.BytesIO()
    lost = recover(io.BytesIO(bytes(broken)), sink).lost
    assert [gap.first for gap in lost] == [1, 3, 4]
    assert OTHER in sink.getvalue()


def test_recovery_of_copies_of_another_archive(pair):
    archive = (pair / "b.st.llmz").read_bytes()
    sink = io.BytesIO()
    assert recover(io.BytesIO(archive), sink, bases=Bases(str(pair))).lost == ()
    assert sink.getvalue() == SECOND
    sink = io.BytesIO()
    report = recover(io.BytesIO(archive), sink)
    assert all("a.st.llmz" in str(gap) for gap in report.lost)
    assert sink.getvalue() == SECOND[: len(SECOND) - 4 * SIZE] + THIRD
    report = recover(io.BytesIO(archive[40:]), io.BytesIO())
    assert [gap.first for gap in report.lost] == [2, 3, 4]


def test_copies_of_what_is_a_change_of_a_base(tmp_path):
    table = {"w": entry("F32", [20_000], 0, SIZE)}
    (tmp_path / "base.st").write_bytes(safetensors(table, EMBEDDING))
    near = b"".join(
        struct.pack("<I", value ^ (number % 3))
        for number, (value,) in enumerate(struct.iter_unpack("<I", EMBEDDING))
    )
    folder = Folder()
    base = Base(str(tmp_path / "base.st"))
    for name, tensor in (("a.st", "w"), ("b.st", "v")):
        data = checkpoint((tensor, [20_000], near), ("o", [20_000], near))
        sink = io.BytesIO()
        write_archive(io.BytesIO(data), sink, base=base, folder=folder)
        path = tmp_path / f"{name}.llmz"
        path.write_bytes(sink.getvalue())
        folder.add(str(path))
        assert unpack(sink.getvalue(), 2, Bases(str(tmp_path))) == data
    base.close()
    assert set(predictors(sink.getvalue()).values()) >= {"copy"}


def other(content_hash: bytes, length: int, name: str) -> bytes:
    """The record of an archive that segments are copies of."""
    return bytes([4]) + content_hash + varint(length) + bytes([len(name)]) + name.encode()


def copy_of(place: int, raw: bytes) -> Segment:
    """A segment that repeats what the first archive named in the metadata has at `place`."""
    return Segment(0, varint(1) + varint(place), [Chunk(COPIED, raw, b"")], flags=COPY)


def test_copies_of_copies_are_refused(tmp_path):
    raw = b"some content of its own"
    plain = Archive([STORE], [coded_segment(STORE, b"", [(STORED, raw)])])
    (tmp_path / "plain.llmz").write_bytes(plain.build())
    records = {5: other(plain.hash_of_content(), len(raw), "plain")}
    middle = Archive([STORE], [copy_of(0, raw), plain.segments[0]], records=records)
    (tmp_path / "middle.llmz").write_bytes(middle.build())
    assert unpack(middle.build(), 1, Bases(str(tmp_path))) == raw * 2
    records = {5: other(middle.hash_of_content(), 2 * len(raw), "middle")}
    for place, fine in ((0, False), (len(raw), True), (len(raw) + 1, False), (1 << 60, False)):
        archive = Archive([STORE], [copy_of(place, raw)], records=records).build()
        for threads in (1, 2):
            if fine:
                assert unpack(archive, threads, Bases(str(tmp_path))) == raw
                continue
            with pytest.raises(CorruptError):
                unpack(archive, threads, Bases(str(tmp_path)))
        with LlmzFile(io.BytesIO(archive)) as file, pytest.raises(ModelError):
            file.seek(1)
            file.read(1)


def test_archives_that_need_each_other_are_refused(tmp_path):
    # The content hash says nothing of how content is coded: two may claim to be copies of another.
    raw = b"content that is nowhere"
    content_hash = Archive([STORE], [copy_of(0, raw)]).hash_of_content()
    for name, wanted in (("a", "b"), ("b", "a")):
        records = {5: other(content_hash, len(raw), wanted)}
        archive = Archive([STORE], [copy_of(0, raw)], records=records)
        (tmp_path / f"{name}.llmz").write_bytes(archive.build())
    for name in "ab":
        with pytest.raises(ModelError, match="tensors are stored in"):
            unpack((tmp_path / f"{name}.llmz").read_bytes(), 1, Bases(str(tmp_path)))
        with LlmzFile(tmp_path / f"{name}.llmz") as file, pytest.raises(ModelError):
            file.seek(3)
            file.read()


def test_a_segment_alone_does_not_tell_what_it_repeats():
    archive = pack(TIED)
    found = read_directory(io.BytesIO(archive))[0]
    offset, last = list(found.segments())[-1]
    settings = llmzip.SegmentSettings(
        seq=len(found.entries) - 1, predictors=found.header.metadata.predictors
    )
    with pytest.raises(ModelError, match="copy"):
        llmzip.decode_segment(archive[offset : offset + last.length], settings)


def change_of(folder: Path, name: str, content: bytes, base: str, of: bytes) -> Archive:
    """Writes the archive `name`, whose content is a change of `of`, the content of `base`."""
    settings = _native.tensor_settings(6, "f32", 0, 0)
    segment = coded_segment(TENSOR, settings, [(CODED, content)], base=of)
    ref = b"\3" + sha256(of).digest() + varint(len(of)) + bytes([len(base)]) + base.encode()
    archive = Archive([TENSOR], [segment], records={5: ref})
    (folder / f"{name}.llmz").write_bytes(archive.build())
    return archive


def refused(folder: Path, name: str, bases: Bases) -> str:
    """The reason why the archive `name` cannot be decoded, from front to back or at any place."""
    data = (folder / f"{name}.llmz").read_bytes()
    with pytest.raises(ModelError) as caught:
        unpack(data, 1, bases)
    content = RandomAccess(io.BytesIO(data), 0, Limits(), bases)
    with pytest.raises(ModelError):
        content.read(1)
    content.close()
    return str(caught.value)


def test_bases_that_need_each_other_are_refused(tmp_path):
    one, two = noise(4, 4000), noise(5, 4000)
    change_of(tmp_path, "a", one, "b", two)
    change_of(tmp_path, "b", two, "a", one)
    assert "a.llmz cannot be read" in refused(tmp_path, "a", Bases(str(tmp_path)))
    (tmp_path / "b").write_bytes(two)
    for name, content in (("a", one), ("b", two)):
        data = (tmp_path / f"{name}.llmz").read_bytes()
        assert unpack(data, 1, Bases(str(tmp_path))) == content


def test_many_bases_in_a_row_are_refused(tmp_path):
    contents = [noise(number, 400) for number in range(21)]
    for number in range(20):
        named = f"{number}", contents[number], f"{number + 1}", contents[number + 1]
        change_of(tmp_path, *named)
    (tmp_path / "20").write_bytes(contents[20])
    assert "more than 16 archives" in refused(tmp_path, "0", Bases(str(tmp_path)))
    data = (tmp_path / "4.llmz").read_bytes()
    assert unpack(data, 1, Bases(str(tmp_path))) == contents[4]


def test_bases_and_copies_that_need_each_other_are_refused(tmp_path):
    weights = noise(4, 4000)
    changed = change_of(tmp_path, "changed", weights, "base", weights)
    records = {5: other(changed.hash_of_content(), len(weights), "changed")}
    for name in ("copy", "base"):
        archive = Archive([STORE], [copy_of(0, weights)], records=records)
        (tmp_path / f"{name}.llmz").write_bytes(archive.build())
    for name in ("copy", "base", "changed"):
        refused(tmp_path, name, Bases(str(tmp_path)))
    (tmp_path / "base").write_bytes(weights)
    for name in ("copy", "base", "changed"):
        data = (tmp_path / f"{name}.llmz").read_bytes()
        assert unpack(data, 1, Bases(str(tmp_path))) == weights


@pytest.mark.parametrize("broken", list(bad.copies()), ids=lambda broken: broken.name)
def test_broken_copies_are_refused_at_any_place(broken):
    with LlmzFile(io.BytesIO(broken.data)) as file, pytest.raises(llmzip.LlmzError):
        file.seek(1)
        while file.read(100):
            pass
