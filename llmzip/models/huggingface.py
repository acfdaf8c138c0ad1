"""A language model out of a Hugging Face folder: config.json, safetensors, tokenizer.json."""

from __future__ import annotations

import json
import os
from functools import partial

from llmzip.errors import CorruptError, LlmzError, UnsupportedError
from llmzip.models import tokenizer
from llmzip.models.arrays import READABLE, floats
from llmzip.models.checkpoint import EMBEDDING, HEAD, Checkpoint, Tensors, flag, unsupported
from llmzip.models.pack import Config
from llmzip.streams import read_exactly
from llmzip.tensors.table import read_table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from llmzip.models.arrays import Floats
    from llmzip.tensors.table import Tensor

_ARCHITECTURES = ("llama", "mistral", "qwen2", "smollm")
_WEIGHTS = "model.safetensors"
# Some files keep the table of the rotary embedding, which follows from the configuration.
_COMPUTED = ".rotary_emb.inv_freq"


def is_folder(path: str) -> bool:
    """Whether `path` looks like one of these."""
    return os.path.isfile(os.path.join(path, "config.json"))


def read(folder: str) -> Checkpoint:
    """The model in `folder`, whose files are read again when a tensor is asked for.

    Raises `CorruptError` for files that are damaged or missing, `UnsupportedError` for what llmzip
    does not evaluate, and OSError.
    """
    settings = _json(folder, "config.json")
    try:
        readers = _readers(folder)
        tied = settings.get("tie_word_embeddings", settings.get("model_type") == "smollm")
        if tied:
            readers.pop(HEAD, None)
        elif HEAD not in readers:
            raise CorruptError(f"there is no {HEAD}; get the missing file")
        if EMBEDDING not in readers:
            raise CorruptError(f"there is no {EMBEDDING}; get the missing file")
        rows = settings["vocab_size"]
        first = settings.get("bos_token_id")
        vocabulary = tokenizer.of_json(_json(folder, "tokenizer.json"), first).padded(rows)
        return Checkpoint(_config(settings), vocabulary, Tensors(readers))
    except LlmzError:
        raise
    except (
        KeyError,
        TypeError,
        ValueError,
        AttributeError,
        IndexError,
        ZeroDivisionError,
    ) as error:
        reason = f"{type(error).__name__} {error}"
        raise CorruptError(f"the files make no model ({reason}); get them again") from None


def _json(folder: str, name: str) -> dict[str, Any]:
    path = os.path.join(folder, name)
    try:
        with open(path, encoding="utf-8") as file:
            found = json.load(file)
    except FileNotFoundError:
        raise CorruptError(f"there is no {name}; get the missing file") from None
    except (ValueError, RecursionError):
        raise CorruptError(f"{name} is damaged: no JSON; get it again") from None
    if not isinstance(found, dict):
        raise CorruptError(f"{name} is damaged: no JSON object; get it again")
    return found


def _config(settings: Mapping[str, Any]) -> Config:
    kind = settings.get("model_type")
    if kind not in _ARCHITECTURES:
        raise unsupported(f"model_type {kind!r}")
    rope = settings.get("rope_parameters") or settings.get("rope_scaling") or {}
    if rope.get("rope_type", rope.get("type", "default")) != "default":
        raise unsupported(f"rotary embedding {rope.get('rope_type', rope.get('type'))!r}")
    flag(settings, "hidden_act", "silu")
    flag(settings, "quantization_config", {})
    hidden, heads = settings["hidden_size"], settings["num_attention_heads"]
    context = settings["max_position_embeddings"]
    if settings.get("use_sliding_window", kind == "mistral"):
        context = min(context, settings.get("sliding_window") or context)
    return Config(
        layers=settings["num_hidden_layers"],
        hidden=hidden,
        heads=heads,
        kv_heads=settings.get("num_key_value_heads") or heads,
        head_size=settings.get("head_dim") or hidden // heads,
        ffn=settings["intermediate_size"],
        vocab=settings["vocab_size"],
        context=context,
        norm_eps=float(settings["rms_norm_eps"]),
        rope_theta=float(rope.get("rope_theta", settings.get("rope_theta", 10000.0))),
    )


def _readers(folder: str) -> dict[str, Callable[[], Floats]]:
    """What reads each tensor, by its name without "model."."""
    names = [_WEIGHTS]
    if not os.path.exists(os.path.join(folder, _WEIGHTS)):
        names = sorted(set(_json(folder, f"{_WEIGHTS}.index.json")["weight_map"].values()))
    readers: dict[str, Callable[[], Floats]] = {}
    for name in names:
        if not isinstance(name, str) or os.path.basename(name) != name:
            raise CorruptError(f"the index names {name!r}, no file beside it; get it again")
        path = os.path.join(folder, name)
        try:
            with open(path, "rb") as file:
                table = read_table(file, os.fstat(file.fileno()).st_size)
        except FileNotFoundError:
            raise CorruptError(f"there is no {name}; get the missing file") from None
        except LlmzError:
            raise CorruptError(f"{name} is cut off or damaged; get it again") from None
        for label in table.tensors:
            if not label.endswith(_COMPUTED):
                readers[label.removeprefix("model.")] = partial(_read, path, table.find(label))
    return readers


def _read(path: str, tensor: Tensor) -> Floats:
    kind = tensor.dtype.lower()
    if kind not in READABLE:
        raise UnsupportedError(f"tensor {tensor.name} has type {tensor.dtype}: not supported")
    with open(path, "rb") as file:
        file.seek(tensor.begin)
        data = read_exactly(file, tensor.end - tensor.begin)
    if len(data) < tensor.end - tensor.begin:
        raise CorruptError(f"{path} became shorter while it was read; get it again")
    return floats(kind, data, tensor.shape)
