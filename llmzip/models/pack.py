"""Builds a model pack: a Llama-like transformer as integers, in the order that kernels read.

FORMAT.md, section 10, specifies the file. Floats are handled one by one, by operations that
IEEE 754 rounds correctly, and in `decimal`; so the same weights give the same bytes on any machine.
"""

from __future__ import annotations

import json
import math

from llmzip.errors import UnsupportedError
from llmzip.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from numpy import float32, float64, uint8
    from numpy.typing import NDArray

    from llmzip.models.arrays import Nibbles

    Header = dict[str, Any]

MAGIC = b"\x8bLZPACK\n"
VERSION = 1
ALIGNMENT = 64
# Inputs that share a scale, and rows that lie interleaved.
GROUP = 64
PANEL = 64
# Inputs that share a step and a base, where weights have four bits.
RUN = 32
# Score and softmax work to the base of 2: q_proj takes over the factor.
LOG2_E = 1.4426950408889634


class Config(Record):
    """Shape and constants of a transformer of the Llama family."""

    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head_size: int
    ffn: int
    vocab: int
    context: int
    norm_eps: float
    rope_theta: float
    # Divides the rotary frequencies, one factor each; empty where they stay as they are.
    rope_factors: tuple[float, ...] = ()
    architecture: str = "llama"
    importer: int = 1


class TokenizerRules(Record):
    """What a pack says of its tokenizer.

    `rules` goes into the header as it is (strings and integers); `tokens` has the bytes of every
    token, empty for those that stand for no text; `merges` pairs of token numbers, by rank.
    """

    rules: Mapping[str, str | int]
    tokens: Sequence[bytes]
    merges: Sequence[tuple[int, int]]


class _Writer:
    """Collects tensors, and puts them behind a header."""

    def __init__(self) -> None:
        self.entries: dict[str, Header] = {}
        self.data: list[bytes] = []

    def add(self, name: str, kind: str, shape: tuple[int, ...], data: bytes, **more: int) -> None:
        self.entries[name] = {"kind": kind, "shape": list(shape), "length": len(data), **more}
        self.data.append(data)

    def finish(self, header: Header) -> bytes:
        # Offsets are part of the header, whose length moves them: settled within a few rounds.
        size = 0
        while True:
            offset = start = _aligned(len(MAGIC) + 4 + 8 + size)
            for entry in self.entries.values():
                entry["offset"] = offset
                offset = _aligned(offset + entry["length"])
            text = json.dumps(
                {**header, "tensors": self.entries},
                sort_keys=True,
                separators=(",", ":"),
                ensure_ascii=False,
            ).encode()
            if len(text) == size:
                break
            size = len(text)
        head = MAGIC + VERSION.to_bytes(4, "little") + size.to_bytes(8, "little") + text
        parts = [head.ljust(start, b"\0")]
        for data in self.data:
            parts += data, bytes(_aligned(len(data)) - len(data))
        return b"".join(parts)


def _aligned(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT


def _exponent(top: float, bits: int) -> int:
    """The largest `e` for which `top * 2**e < 2**bits`; 0 for a `top` of 0."""
    return bits - math.frexp(top)[1] if top else 0


def _matrix(values: NDArray[float64]) -> tuple[bytes, int]:
    """Rows of weights as bytes with a scale a group: their data and exponent.

    A weight is `byte * scale * 2**-exponent`.
    """
    import numpy as np

    rows, inputs = values.shape
    padded = -(-rows // PANEL) * PANEL
    grouped = np.zeros((padded, inputs // GROUP, GROUP))
    grouped[:rows] = values.reshape(rows, -1, GROUP)
    tops = np.abs(grouped).max(axis=2)
    exponent = _exponent(float(tops.max()) / 127, 16)
    scales = np.ceil(np.ldexp(tops, exponent) / 127)
    # The largest scale may have been rounded up to 2**16.
    scales = np.clip(scales, 1, 2**16 - 1)
    weights = np.clip(np.rint(np.ldexp(grouped, exponent) / scales[:, :, None]), -127, 127)
    panels = weights.astype(np.int8).reshape(padded // PANEL, PANEL, inputs // 4, 4)
    scales = scales.astype("<u2").reshape(padded // PANEL, PANEL, inputs // GROUP)
    data = panels.transpose(0, 2, 1, 3).tobytes() + scales.transpose(0, 2, 1).tobytes()
    return data, exponent


def _nibbles(values: Nibbles, factor: float) -> tuple[bytes, int]:
    """Rows of weights as four bits each with a step and a base a run: their data and exponent.

    A weight is `(bits * step + base) * 2**-exponent`; none is above 32,767 in magnitude before the
    exponent.
    """
    import numpy as np

    rows, runs = values.steps.shape
    steps, bases = values.steps * factor, values.bases * factor
    top = max(float(np.abs(bases).max()), float(np.abs(bases + 15 * steps).max()))
    exponent = _exponent(top, 15)
    while True:
        whole = [np.rint(np.ldexp(numbers, exponent)) for numbers in (steps, bases)]
        if np.abs(whole[1]).max() < 2**15 and np.abs(whole[0] * 15 + whole[1]).max() < 2**15:
            break
        exponent -= 1
    padded = -(-rows // PANEL) * PANEL
    bits = np.zeros((padded, runs * RUN), np.uint8)
    bits[:rows] = values.bits
    # Panel, row of it, run, pair of fours, which of these, input.
    fours = bits.reshape(padded // PANEL, PANEL, runs, 4, 2, 4)
    halves = (fours[:, :, :, :, 0] | fours[:, :, :, :, 1] << 4).transpose(0, 2, 3, 1, 4)
    lines = np.zeros((padded, runs, 2), "<i2")
    lines[:rows] = np.stack(whole, axis=2)
    lines = lines.reshape(padded // PANEL, PANEL, runs, 2).transpose(0, 2, 1, 3)
    behind = np.ascontiguousarray(lines).view(np.uint8).reshape(padded // PANEL, runs, -1)
    parts = halves.reshape(padded // PANEL, runs, -1), behind
    return np.concatenate(parts, axis=2).tobytes(), exponent


def _frequencies(config: Config) -> bytes:
    """Turns a position that each pair of a head is rotated by, in units of 2**-64."""
    from decimal import Decimal, localcontext

    pi = Decimal("3.14159265358979323846264338327950288419716939937510582097494459")
    half = config.head_size // 2
    out = bytearray()
    with localcontext() as context:
        context.prec = 50
        log = Decimal(config.rope_theta).ln()
        for i in range(half):
            turns = (-log * i / half).exp() / (2 * pi)
            if config.rope_factors:
                turns /= Decimal(config.rope_factors[i])
            units = int((turns * 2**64).to_integral_value()) % 2**64
            out += units.to_bytes(8, "little")
    return bytes(out)


def check(config: Config) -> None:
    """Refuses shapes that the engine does not have.

    Raises:
        UnsupportedError: names the first one.
    """
    width = config.heads * config.head_size
    limits = (
        (config.hidden % GROUP == 0, f"hidden size {config.hidden} is no multiple of {GROUP}"),
        (config.ffn % GROUP == 0, f"feed-forward size {config.ffn} is no multiple of {GROUP}"),
        (
            width % GROUP == 0,
            f"{config.heads} heads of {config.head_size} are no multiple of {GROUP}",
        ),
        (
            config.head_size % 16 == 0 and config.head_size <= 128,
            f"heads of size {config.head_size}",
        ),
        (
            config.kv_heads > 0 and config.heads % config.kv_heads == 0,
            "heads do not share keys evenly",
        ),
        (max(config.hidden, config.ffn, width) < 2**16, "layers of 65,536 values or more"),
        (config.layers > 0 and config.context > 1, "no layers or no context"),
        (len(config.rope_factors) in (0, config.head_size // 2), "rotary factors of another size"),
        (0 <= config.norm_eps < 1, f"norm epsilon {config.norm_eps}"),
        (config.rope_theta >= 1, f"rotary base {config.rope_theta}"),
    )
    for good, what in limits:
        if not good:
            raise UnsupportedError(f"model: {what}: not supported; choose another model")


class _Source:
    """The given arrays, each of which must have its shape, be finite, and be used."""

    def __init__(self, tensors: Mapping[str, NDArray[float32] | Nibbles]) -> None:
        self.tensors = tensors
        self.left = set(tensors)

    def _found(self, name: str) -> NDArray[float32] | Nibbles:
        if name not in self.tensors:
            raise UnsupportedError(f"model: tensor {name} is missing; use a complete file")
        self.left.discard(name)
        return self.tensors[name]

    def matrix(self, name: str, rows: int, inputs: int) -> NDArray[float64] | Nibbles:
        """Its weights; as nibbles, where they are these."""
        from llmzip.models.arrays import Nibbles

        values = self._found(name)
        if not isinstance(values, Nibbles):
            return self._checked(name, values, (rows, inputs))
        self._checked(name, values.bits, (rows, inputs))
        shape = (rows, inputs // RUN)
        steps, bases = (self._checked(name, v, shape) for v in (values.steps, values.bases))
        return Nibbles(values.bits, steps, bases)

    def take(self, name: str, *shape: int) -> NDArray[float64]:
        from llmzip.models.arrays import Nibbles

        values = self._found(name)
        if isinstance(values, Nibbles):
            values = values.floats()
        return self._checked(name, values, shape)

    def _checked(self, name: str, values: NDArray[Any], shape: tuple[int, ...]) -> NDArray[float64]:
        import numpy as np

        values = np.asarray(values)
        if values.shape != shape:
            raise UnsupportedError(
                f"model: tensor {name} has shape {values.shape}, not {shape}; "
                "use a matching configuration"
            )
        wide: NDArray[float64] = values.astype(np.float64)
        if not np.isfinite(wide).all():
            raise UnsupportedError(
                f"model: tensor {name} has values that are not finite; use another file"
            )
        return wide


def build(
    config: Config,
    tensors: Mapping[str, NDArray[float32] | Nibbles],
    tokenizer: TokenizerRules,
    progress: Callable[[str], None] | None = None,
) -> bytes:
    """Makes a pack.

    Args:
        config: the model's shape.
        tensors: weights under Hugging Face's names without "model.", matrices as rows of outputs
            (floats, or nibbles, which stay such), `q_proj` and `k_proj` in Hugging Face's order of rotary pairs. Without `lm_head.weight`
            the head is the embedding. Attention's biases are optional.
        tokenizer: goes into the header and the vocabulary's tensors.
        progress: called with each tensor's name before it is converted.

    Raises:
        UnsupportedError: a shape or tensor that the engine does not have.
    """
    import numpy as np

    from llmzip.models.arrays import Nibbles

    check(config)
    source, writer = _Source(tensors), _Writer()
    if len(tokenizer.tokens) != config.vocab:
        raise UnsupportedError(
            f"model: {len(tokenizer.tokens)} tokens for a vocabulary of {config.vocab}; "
            "use matching files"
        )

    def matrix(name: str, rows: int, inputs: int, factor: float = 1.0) -> None:
        if progress:
            progress(name)
        values = source.matrix(name, rows, inputs)
        if isinstance(values, Nibbles):
            kind, (data, exponent) = "q4", _nibbles(values, factor)
        else:
            kind, (data, exponent) = "q8", _matrix(values * factor)
        writer.add(name, kind, (rows, inputs), data, exponent=exponent)

    def gain(name: str, size: int, factor: float = 1.0) -> None:
        values = source.take(name, size) * factor
        exponent = _exponent(float(np.abs(values).max()), 23)
        data = np.rint(np.ldexp(values, exponent)).astype("<i4").tobytes()
        writer.add(name, "gain", (size,), data, exponent=exponent)

    def bias(name: str, size: int, factor: float = 1.0) -> None:
        if name in tensors:
            values = np.clip(source.take(name, size) * (factor * 65536), -(2.0**30), 2.0**30)
            writer.add(name, "bias", (size,), np.rint(values).astype("<i4").tobytes())

    hidden, width = config.hidden, config.heads * config.head_size
    narrow = config.kv_heads * config.head_size
    attention = LOG2_E / math.sqrt(config.head_size)
    matrix("embed_tokens.weight", config.vocab, hidden)
    for layer in range(config.layers):
        at = f"layers.{layer}."
        gain(at + "input_layernorm.weight", hidden)
        for part, rows, factor in (("q", width, attention), ("k", narrow, 1.0), ("v", narrow, 1.0)):
            matrix(f"{at}self_attn.{part}_proj.weight", rows, hidden, factor)
            bias(f"{at}self_attn.{part}_proj.bias", rows, factor)
        matrix(at + "self_attn.o_proj.weight", hidden, width)
        gain(at + "post_attention_layernorm.weight", hidden)
        matrix(at + "mlp.gate_proj.weight", config.ffn, hidden)
        matrix(at + "mlp.up_proj.weight", config.ffn, hidden)
        matrix(at + "mlp.down_proj.weight", hidden, config.ffn)
    gain("norm.weight", hidden)
    if "lm_head.weight" in tensors:
        matrix("lm_head.weight", config.vocab, hidden)
    if source.left:
        raise UnsupportedError(
            f"model: tensor {min(source.left)} has no place; choose another model"
        )
    writer.add("rotary", "u64", (config.head_size // 2,), _frequencies(config))
    _vocabulary(writer, tokenizer)
    shape = {
        name: getattr(config, name)
        for name in (
            "layers",
            "hidden",
            "heads",
            "kv_heads",
            "head_size",
            "ffn",
            "vocab",
            "context",
        )
    }
    shape["norm_eps"] = round(math.ldexp(config.norm_eps, 48))
    return writer.finish(
        {
            "architecture": config.architecture,
            "importer": config.importer,
            "config": shape,
            "tokenizer": dict(tokenizer.rules),
        }
    )


def _vocabulary(writer: _Writer, tokenizer: TokenizerRules) -> None:
    import numpy as np

    def words(values: Sequence[int] | NDArray[uint8]) -> bytes:
        return np.asarray(values, "<u4").tobytes()

    text = b"".join(tokenizer.tokens)
    ends = np.cumsum([len(token) for token in tokenizer.tokens], dtype=np.int64)
    writer.add("vocab.bytes", "u8", (len(text),), text)
    writer.add("vocab.ends", "u32", (len(tokenizer.tokens),), ends.astype("<u4").tobytes())
    flat = [number for pair in tokenizer.merges for number in pair]
    writer.add("merges", "u32", (len(tokenizer.merges), 2), words(flat))
