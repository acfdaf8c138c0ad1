"""`llmzip list`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from llmzip.commands.files import gather
from llmzip.commands.job import Job
from llmzip.commands.report import Report
from llmzip.fileio import SUFFIX, Source
from llmzip.info import ArchiveInfo, Info, SegmentInfo, info
from llmzip.text import bits_per_byte, memory, printable, ratio, table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO

    from llmzip.tensors.describe import TensorInfo

_HEAD = ("tensor", "kind", "shape", "bytes", "stored", "bits/el", "method")


def run(job: Job, report: Report) -> None:
    """Show every archive of `job`; of content, only what says where tensors lie is decoded."""
    for number, item in enumerate(gather(job, report)):
        name = "standard input" if item.path == "-" else item.path
        try:
            with Source(
                item.path, archive=True, to_file=False, links=True, console=job.force
            ) as source:
                found = info(source.stream)
                tensors = [_tensors(archive, source.stream) for archive in found.archives]
        except Exception as error:
            report.error(name, error)
            continue
        if job.as_json:
            facts = found.as_dict()
            for archive, own in zip(facts["archives"], tensors, strict=True):
                archive["tensors"] = [_facts(tensor) for tensor in own]
            report.done(name, "", **facts)
            continue
        lines = _lines(name, found, tensors, job.verbose > 0)
        report.print(("\n" if number else "") + "\n".join(lines))


def _tensors(archive: ArchiveInfo, stream: BinaryIO) -> tuple[TensorInfo, ...]:
    if not any(segment.label for segment in archive.segments):
        return ()
    from llmzip.streams import seekable
    from llmzip.tensors.describe import tensors_of

    return tensors_of(archive, stream if seekable(stream) else None)


def _facts(tensor: TensorInfo) -> dict[str, object]:
    bits = tensor.bits
    return tensor.as_dict() | {"bits_per_element": None if bits is None else round(bits, 6)}


def _lines(
    name: str, found: Info, tensors: Sequence[Sequence[TensorInfo]], verbose: bool
) -> Iterator[str]:
    count = len(found.archives)
    yield printable(name)
    if count > 1:
        yield _line("in all", f"{count} archives, {_sizes(found.raw_bytes, found.archive_bytes)}")
    for number, archive in enumerate(found.archives):
        if count > 1:
            yield f"archive {number + 1} of {count}, at byte {archive.offset:,}"
        yield from _archive(archive)
        yield from _tensor_lines(tensors[number])
        if verbose:
            yield from _segments(archive)


def _archive(archive: ArchiveInfo) -> Iterator[str]:
    yield _line("size", _sizes(archive.raw_bytes, archive.archive_bytes))
    needed = sum(m.length for m in archive.models if m.kind == "model" and not m.embedded)
    if needed:
        whole = _sizes(archive.raw_bytes, archive.archive_bytes + needed)
        yield _line("adjusted", f"{whole}, the model's {needed:,} counted")
    yield _line("format", f"{archive.format}, level {archive.level}")
    used = ", ".join(f"{printable(p.id)} {p.version}" for p in archive.predictors)
    yield _line("predictors", used)
    for model in archive.models:
        name = printable(model.name)
        if model.kind == "archive":
            rest = f"{name}{SUFFIX}, content hash {model.sha256}, in the same folder to decode"
            yield _line("needs", rest)
            continue
        where = "embedded" if model.embedded else "needed to decode"
        yield _line(model.kind, f"{name}, sha256 {model.sha256}, {where}")
    yield _line("segments", f"{len(archive.segments):,}")
    yield _line("checks", "crc32 of coded bytes, xxh3 of content in every chunk")
    yield _line("hash", archive.content_hash)
    yield _line("memory", f"{memory(archive.decoder_memory)} to decode a segment")
    if archive.writer:
        yield _line("writer", printable(archive.writer))
    if archive.comment:
        yield _line("comment", printable(archive.comment))


def _tensor_lines(tensors: Sequence[TensorInfo]) -> Iterator[str]:
    if not tensors:
        return
    rows = [_HEAD]
    for tensor in tensors:
        shape = "x".join(map(str, tensor.shape)) or ("scalar" if tensor.kind else "?")
        bits = "-" if tensor.bits is None else f"{tensor.bits:.3f}"
        stored = "-" if tensor.stored_bytes is None else f"{tensor.stored_bytes:,}"
        sizes = (f"{tensor.raw_bytes:,}", stored, bits)
        rows.append((printable(tensor.name), tensor.kind or "?", shape, *sizes, tensor.method))
    own = [tensor for tensor in tensors if tensor.stored_bytes is not None]
    raw = sum(tensor.raw_bytes for tensor in own)
    coded = sum(tensor.stored_bytes or 0 for tensor in own)
    elements = sum(tensor.elements or 0 for tensor in own)
    known = all(tensor.elements is not None for tensor in own)
    bits = f"{8 * coded / elements:.3f}" if known and elements else "-"
    total = f"{len(own):,} tensors"
    if len(own) < len(tensors):
        total += f", {len(tensors) - len(own):,} tiny ones beside"
    rows.append((total, "", "", f"{raw:,}", f"{coded:,}", bits, f"ratio {ratio(raw, coded)}"))
    yield from table(rows, right={3, 4, 5})


def _segments(archive: ArchiveInfo) -> Iterator[str]:
    if not archive.segments:
        return
    yield f"  {'seq':>5} {'offset':>14} {'coded':>13} {'content':>13} {'bits/byte':>9}  predictor"
    for segment in archive.segments:
        yield _segment(segment)


def _segment(segment: SegmentInfo) -> str:
    bpb = bits_per_byte(segment.raw_len, segment.length)
    line = (
        f"  {segment.seq:>5} {segment.offset:>14,} {segment.length:>13,} {segment.raw_len:>13,} "
        f"{'-' if bpb is None else f'{bpb:.3f}':>9}  {printable(segment.predictor)}"
    )
    if segment.settings:
        line += f" {segment.settings}"
    if segment.label:
        line += f"  {printable(segment.label)}"
    return line


def _sizes(raw: int, coded: int) -> str:
    bpb = bits_per_byte(raw, coded)
    density = "" if bpb is None else f", {bpb:.3f} bits/byte, ratio {ratio(raw, coded)}"
    return f"{raw:,} bytes in {coded:,}{density}"


def _line(key: str, value: str) -> str:
    return f"  {key:<11} {value}"
