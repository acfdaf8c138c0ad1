"""A language model out of a GGUF file: architectures llama (Mistral's too) and qwen2."""

from __future__ import annotations

import re
from functools import partial
from typing import Any

from llmzip.errors import CorruptError, UnsupportedError
from llmzip.models import tokenizer
from llmzip.models.arrays import READABLE, Nibbles, floats, weights
from llmzip.models.checkpoint import HEAD, Checkpoint, Tensors, flag, unsupported
from llmzip.models.pack import Config
from llmzip.streams import read_exactly
from llmzip.tensors import gguf
from llmzip.tensors.cursor import Cursor
from llmzip.tensors.region import Malformed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import BinaryIO

    from numpy.typing import NDArray

    from llmzip.models.arrays import Floats
    from llmzip.models.tokenizer import Vocabulary
    from llmzip.tensors.region import Region

_ARCHITECTURES = ("llama", "qwen2")
# Token types that stand for no text: unknown, control, added by users, unused.
_SPECIAL = (2, 3, 4, 5)
_NAMES = {
    "token_embd": "embed_tokens",
    "output_norm": "norm",
    "output": HEAD.removesuffix(".weight"),
    "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
_FACTORS = "rope_freqs.weight"
_LABEL = re.compile(r"(?:blk\.([0-9]+)\.)?([a-z_]+)\.(weight|bias)")


class _Metadata:
    """Values by key, without the name of the architecture in front."""

    def __init__(self, found: dict[str, gguf.Value]) -> None:
        self.architecture = found.get("general.architecture")
        start = f"{self.architecture}."
        self.values: dict[str, Any] = {key.removeprefix(start): found[key] for key in found}

    def number(self, key: str, default: int | None = None) -> int:
        value = self.values.get(key, default)
        if type(value) is not int:
            raise CorruptError(f"the file does not say its {key}; get it again")
        return value

    def real(self, key: str, default: float | None = None) -> float:
        value = self.values.get(key, default)
        if not isinstance(value, float):
            raise CorruptError(f"the file does not say its {key}; get it again")
        return value

    def list_of(self, key: str, kind: type) -> list[Any]:
        value = self.values.get(f"tokenizer.ggml.{key}")
        if not isinstance(value, list) or not all(type(item) is kind for item in value):
            raise UnsupportedError(f"the file has no tokenizer.ggml.{key}; choose a complete one")
        return value


def read(source: BinaryIO, size: int) -> Checkpoint:
    """The model in the file `source` of `size` bytes, which stays open while its tensors are read.

    Raises `CorruptError` where the file is cut off or damaged, `UnsupportedError` for what llmzip
    does not evaluate.
    """
    try:
        metadata = _Metadata(gguf.metadata(Cursor(source, 0, size), _wanted))
        if metadata.architecture not in _ARCHITECTURES:
            raise unsupported(f"architecture {metadata.architecture!r}")
        regions = gguf.tensors(Cursor(source, 0, size), size)
    except Malformed as error:
        raise CorruptError(f"the GGUF file is cut off or damaged: {error}; get it again") from None
    vocabulary = _vocabulary(metadata)
    shapes = {region.label: region.shape for region in regions}
    vocabulary = vocabulary.padded(shapes.get("token_embd.weight", (0,))[0])
    config = _config(metadata, len(vocabulary.tokens))
    factors = [region for region in regions if region.label == _FACTORS]
    for region in factors:
        values = tuple(map(float, _read(source, region))) if region.kind == "f32" else (0.0,)
        config = config.replace(rope_factors=values)
        regions.remove(region)
    return Checkpoint(config, vocabulary, _tensors(source, regions, config, metadata))


def _wanted(key: str) -> bool:
    if key.startswith("tokenizer."):
        return key.startswith("tokenizer.ggml.")
    return key == "general.architecture" or key.startswith(_ARCHITECTURES)


def _config(metadata: _Metadata, vocab: int) -> Config:
    flag(metadata.values, "rope.scaling.type", "none")
    flag(metadata.values, "expert_count", 0)
    hidden, heads = metadata.number("embedding_length"), metadata.number("attention.head_count")
    if heads < 1:
        raise CorruptError("the file has no attention heads; get it again")
    size = metadata.number("attention.key_length", hidden // heads)
    flag(metadata.values, "attention.value_length", size)
    flag(metadata.values, "rope.dimension_count", size)
    context = metadata.number("context_length")
    return Config(
        layers=metadata.number("block_count"),
        hidden=hidden,
        heads=heads,
        kv_heads=metadata.number("attention.head_count_kv", heads),
        head_size=size,
        ffn=metadata.number("feed_forward_length"),
        vocab=vocab,
        context=min(context, metadata.number("attention.sliding_window", context) or context),
        norm_eps=metadata.real("attention.layer_norm_rms_epsilon"),
        rope_theta=metadata.real("rope.freq_base", 10000.0),
    )


def _vocabulary(metadata: _Metadata) -> Vocabulary:
    ggml = "tokenizer.ggml."
    model, cut = metadata.values.get(ggml + "model"), metadata.values.get(ggml + "pre")
    if model != "gpt2":
        raise UnsupportedError(
            f"tokenizer {model!r} is not supported; choose a model with byte-level BPE ('gpt2')"
        )
    rule = tokenizer.GGUF_RULES.get(str(cut))
    if rule is None:
        known = ", ".join(tokenizer.GGUF_RULES)
        raise UnsupportedError(f"the tokenizer cuts text by rule {cut!r}; known are: {known}")
    texts = metadata.list_of("tokens", str)
    kinds = metadata.list_of("token_type", int)
    if len(kinds) != len(texts):
        raise CorruptError("the file has no type for every token; get it again")
    pairs = []
    for merge in metadata.list_of("merges", str):
        left, _, right = merge.partition(" ")
        pairs.append((left, right))
    first = metadata.values.get(ggml + "bos_token_id")
    special = [kind in _SPECIAL for kind in kinds]
    return tokenizer.vocabulary(texts, special, pairs, rule, first if type(first) is int else None)


def _tensors(
    source: BinaryIO, regions: list[Region], config: Config, metadata: _Metadata
) -> Tensors:
    readers: dict[str, Callable[[], Floats | Nibbles]] = {}
    for region in regions:
        label = _LABEL.fullmatch(region.label)
        if not label or label[2] not in _NAMES:
            raise unsupported(f"tensor {region.label!r}")
        if region.kind not in READABLE:
            raise unsupported(f"tensor {region.label!r}: its type ({region.kind or 'unknown'})")
        layer = "" if label[1] is None else f"layers.{int(label[1])}."
        name = f"{layer}{_NAMES[label[2]]}.{label[3]}"
        read = partial(_weights, source, region)
        # Files of llama have the rotary pairs of these side by side.
        turned = {"attn_q": config.heads, "attn_k": config.kv_heads}.get(label[2])
        if turned and metadata.architecture == "llama":
            read = partial(_halves, read, turned)
        readers[name] = read
    return Tensors(readers)


def _read(source: BinaryIO, region: Region) -> Floats:
    return floats(region.kind, _data(source, region), region.shape)


def _weights(source: BinaryIO, region: Region) -> Floats | Nibbles:
    return weights(region.kind, _data(source, region), region.shape)


def _data(source: BinaryIO, region: Region) -> bytes:
    source.seek(region.offset)
    data = read_exactly(source, region.length)
    if len(data) < region.length:
        raise CorruptError("the file became shorter while it was read; get it again")
    return data


def _halves(read: Callable[[], Floats | Nibbles], heads: int) -> Floats | Nibbles:
    """Rows in Hugging Face's order: first all first halves of a head's pairs, then the second."""

    def turned(array: NDArray[Any]) -> NDArray[Any]:
        if not array.size or len(array) % (2 * heads):
            raise CorruptError("attention's rows are no whole number of heads; get the file again")
        pairs = array.reshape(heads, -1, 2, *array.shape[1:])
        return pairs.swapaxes(1, 2).reshape(array.shape)

    found = read()
    return found.of(turned) if isinstance(found, Nibbles) else turned(found)
