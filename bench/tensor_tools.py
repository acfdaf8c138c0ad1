"""The compressors that `tensors.py` measures: llmzip, and Python packages that are installed.

Each is made for a file's element kind: bf16, fp16, fp32, fp8 or u8. A tool decodes to an object
that holds bytes, to a list of such, or to the path of a file.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import llmzip
from llmzip.tensors import decompress_into

_ZIPNN_KINDS = {"bf16": "bfloat16", "fp16": "float16", "fp32": "float32", "fp8": "float8_e4m3fn"}
_WIDTHS = {"bf16": 2, "fp16": 2, "fp32": 4, "fp8": 1, "u8": 1}


@dataclass
class Tool:
    """A compressor: bytes to something, and that back; the size of that something.

    once: whether it is so slow that one turn has to do.
    """

    name: str
    compress: Callable[[bytes], object]
    decompress: Callable[[object], object]
    size: Callable[[object], int]
    once: bool = False


def kind_of(name: str) -> str:
    """The element kind that most of a file called `name` has."""
    for kind in ("bf16", "fp16", "fp32", "fp8"):
        if kind in name:
            return kind
    if name.endswith((".pth", ".pt", ".bin")) or (name.endswith(".onnx") and "int8" not in name):
        return "fp32"
    return "u8"


def _length(coded: object) -> int:
    assert isinstance(coded, (bytes, bytearray, memoryview))
    return len(coded)


def _llmzip(level: int, threads: int, *, fresh: bool = False) -> Tool:
    """Into memory that was used before, or into an array that numpy makes for it."""
    numpy: Any = import_module("numpy")
    options = llmzip.Options(level=level, threads=threads, verify=False)
    warm: dict[int, Any] = {}

    def compress(data: bytes) -> object:
        if not warm:
            warm[0] = numpy.full(len(data), 1, numpy.uint8)
        return llmzip.compress(data, options=options)

    def decompress(coded: object) -> object:
        assert isinstance(coded, bytes)
        out = numpy.empty(len(warm[0]), numpy.uint8) if fresh else warm[0]
        decompress_into(coded, out, threads=threads)
        return out

    where = "fresh output" if fresh else "into a warm buffer"
    name = f"llmzip -{level}, {where}" + (f", {threads} threads" if threads > 1 else "")
    return Tool(name, compress, decompress, _length, level >= 8)


def _zipnn(kind: str, threads: int) -> Tool:
    zipnn: Any = import_module("zipnn")
    dtype = _ZIPNN_KINDS.get(kind, "bfloat16")

    def make() -> Any:
        return zipnn.ZipNN(input_format="byte", bytearray_dtype=dtype, threads=threads)

    # A copy: zipnn changes its input in place.
    return Tool(
        "zipnn" + (f", {threads} threads" if threads > 1 else ""),
        lambda data: make().compress(bytearray(data)),
        lambda coded: make().decompress(coded),
        _length,
    )


def _lmz(folder: Path, suffix: str, threads: int) -> Tool:
    lmz: Any = import_module("lmz")

    raw = folder / f"raw{suffix}"
    coded, back = folder / f"coded-{threads}.lmz", folder / f"back-{threads}"

    def compress(data: bytes) -> object:
        if not raw.exists():
            raw.write_bytes(data)
        coded.unlink(missing_ok=True)
        lmz.compress(str(raw), str(coded), workers=threads)
        return coded

    def decompress(_: object) -> object:
        back.unlink(missing_ok=True)
        lmz.decompress(str(coded), str(back), workers=threads)
        return back

    name = "lmz (files)" + (f", {threads} threads" if threads > 1 else "")
    return Tool(name, compress, decompress, lambda _: coded.stat().st_size)


def _openzl(kind: str) -> Tool:
    """Fields of floats apart, exponents with FSE; other kinds with FSE alone."""
    zl: Any = import_module("openzl.ext")
    numpy: Any = import_module("numpy")
    width = _WIDTHS[kind]
    unsigned = {1: numpy.uint8, 2: numpy.uint16, 4: numpy.uint32}[width]
    compressor = zl.Compressor()
    compressor.set_parameter(zl.CParam.FormatVersion, zl.MAX_FORMAT_VERSION)
    fse = zl.graphs.Fse()(compressor)
    store = zl.graphs.Store()(compressor)
    if kind == "bf16":
        graph = zl.nodes.BFloat16Deconstruct()(compressor, sign_frac=store, exponent=fse)
    elif kind == "fp32":
        graph = zl.nodes.Float32Deconstruct()(compressor, sign_frac=store, exponent=fse)
    elif kind == "fp16":
        bits = zl.graphs.Bitpack()(compressor)
        fraction = zl.nodes.ConvertStructToNumLE()(compressor, bits)
        graph = zl.nodes.Float16Deconstruct()(compressor, sign_frac=fraction, exponent=fse)
    else:
        graph = fse
    compressor.select_starting_graph(graph)

    def compress(data: bytes) -> object:
        context = zl.CCtx()
        context.ref_compressor(compressor)
        context.set_parameter(zl.CParam.FormatVersion, zl.MAX_FORMAT_VERSION)
        count = len(data) // width
        sort = zl.Type.Serial if width == 1 else zl.Type.Numeric
        units = zl.Input(sort, numpy.frombuffer(data, unsigned, count))
        return [context.compress([units]), data[count * width :]]

    def decompress(coded: object) -> object:
        assert isinstance(coded, list)
        return [zl.DCtx().decompress(coded[0])[0].content.as_bytes(), coded[1]]

    return Tool("openzl, fse", compress, decompress, _lengths)


def _lengths(coded: object) -> int:
    assert isinstance(coded, list)
    return sum(map(len, coded))


def _blosc2(kind: str, name: str) -> Tool:
    blosc2: Any = import_module("blosc2")
    shuffle = getattr(blosc2.Filter, name.upper())
    blosc2.set_nthreads(1)

    def compress(data: bytes) -> object:
        # It takes up to 2 GiB at a time.
        parts = [data[at : at + (1 << 30)] for at in range(0, len(data), 1 << 30)]
        how = {"codec": blosc2.Codec.ZSTD, "clevel": 5, "typesize": _WIDTHS[kind], "nthreads": 1}
        return [blosc2.compress2(part, filters=[shuffle], **how) for part in parts]

    def decompress(coded: object) -> object:
        assert isinstance(coded, list)
        return [blosc2.decompress2(part, nthreads=1) for part in coded]

    return Tool(f"blosc2, {name}, zstd -5", compress, decompress, _lengths, once=True)


# Elements of one byte it refuses.
_PCODEC_TYPES = {"bf16": "uint16", "fp16": "float16", "fp32": "float32"}


def _pcodec(kind: str) -> Tool:
    numpy: Any = import_module("numpy")
    pcodec: Any = import_module("pcodec")
    standalone: Any = import_module("pcodec.standalone")
    dtype, width = numpy.dtype(_PCODEC_TYPES[kind]), _WIDTHS[kind]
    config = pcodec.ChunkConfig(compression_level=8)

    def compress(data: bytes) -> object:
        count = len(data) // width
        units = numpy.frombuffer(data, dtype, count)
        return [standalone.simple_compress(units, config), data[count * width :]]

    def decompress(coded: object) -> object:
        assert isinstance(coded, list)
        return [numpy.asarray(standalone.simple_decompress(coded[0])).tobytes(), coded[1]]

    return Tool("pcodec -8", compress, decompress, _lengths, once=True)


def _zstd(level: int) -> Tool:
    zstandard: Any = import_module("zstandard")

    packer = zstandard.ZstdCompressor(level)
    return Tool(
        f"zstd -{level}",
        packer.compress,
        lambda coded: zstandard.ZstdDecompressor().decompress(coded),
        _length,
    )


def tools(path: Path, folder: Path) -> list[Tool]:
    """All that are installed, for the file `path`; says which are not. folder: for their files."""
    kind = kind_of(path.name)
    made = [_llmzip(1, 1), _llmzip(6, 1), _llmzip(6, 1, fresh=True), _llmzip(6, 2), _llmzip(8, 1)]
    makers: list[tuple[str, Callable[[], Tool]]] = [
        ("zipnn", lambda: _zipnn(kind, 1)),
        ("zipnn", lambda: _zipnn(kind, 2)),
        ("lmz", lambda: _lmz(folder, path.suffix, 1)),
        ("lmz", lambda: _lmz(folder, path.suffix, 2)),
        ("openzl", lambda: _openzl(kind)),
        ("blosc2", lambda: _blosc2(kind, "shuffle")),
        ("blosc2", lambda: _blosc2(kind, "bitshuffle")),
        ("zstandard", lambda: _zstd(3)),
    ]
    if kind in _PCODEC_TYPES:
        makers.append(("pcodec", lambda: _pcodec(kind)))
    else:
        print(f"pcodec takes no elements of one byte: left out for {path.name}", file=sys.stderr)
    missing: dict[str, None] = {}
    for package, make in makers:
        try:
            made.append(make())
        except ImportError:
            missing[package] = None
    for package in missing:
        print(f"{package} is not installed: left out", file=sys.stderr)
    return made
