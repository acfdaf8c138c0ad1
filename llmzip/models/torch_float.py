"""A model of the Llama family in float32, with torch: what the exact engine is compared with.

The weights are those of a pack, or of the GGUF file or folder that a pack is made of. Needs the
extra `hf`; archives never need this.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from llmzip.errors import MissingPackageError
from llmzip.models.checkpoint import HEAD
from llmzip.models.pack import GROUP, LOG2_E, PANEL

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy import float32
    from numpy.typing import NDArray

    from llmzip.models.checkpoint import Checkpoint

    Floats = NDArray[float32]
    # torch has no part in type checks: they run without it.
    Tensor = Any

# Positions whose logits are made at a time.
_PIECE = 128


class FloatModel:
    """Evaluates tokens in float32.

    Args:
        config: `layers`, `heads`, `kv_heads` and `head_size`.
        epsilon: added to mean squares.
        turns: radians a position that each pair of a head is rotated by.
        tensors: arrays by the names that `pack.build` takes.

    Raises:
        MissingPackageError: torch is not installed.
    """

    def __init__(
        self,
        config: Mapping[str, int],
        epsilon: float,
        turns: Sequence[float],
        tensors: Mapping[str, Floats],
    ) -> None:
        try:
            import torch  # type: ignore[import-not-found,unused-ignore]
        except ImportError as error:
            raise MissingPackageError(
                "evaluating a model with PyTorch needs torch: pip install 'llmzip[hf]'"
            ) from error
        self._torch = torch
        self._config = config
        self._epsilon = epsilon
        self._turns = torch.tensor(list(turns), dtype=torch.float64)
        self._tensors = {name: torch.from_numpy(tensors[name].copy()) for name in tensors}

    def costs(self, tokens: Sequence[int], window: int) -> list[float]:
        """Nats that each token costs; as `_native.Model.costs`, for a window that it takes."""
        torch = self._torch
        found: list[float] = []
        with torch.inference_mode():
            for at in range(0, len(tokens), window):
                own = torch.tensor(list(tokens[at : at + window]))
                states = self._states(own)
                found.append(0.0)
                for start in range(0, len(own) - 1, _PIECE):
                    some = states[start : min(start + _PIECE, len(own) - 1)]
                    logits = self.head(some).double()
                    right = own[start + 1 : start + 1 + len(some)]
                    nats = torch.nn.functional.cross_entropy(logits, right, reduction="none")
                    found += nats.tolist()
        return found

    def logits(self, tokens: Sequence[int]) -> Tensor:
        """Logits after each of some tokens, which begin a text: as many rows, in nats."""
        with self._torch.inference_mode():
            return self.head(self._states(self._torch.tensor(list(tokens))))

    def head(self, states: Tensor) -> Tensor:
        """Logits of states."""
        name = HEAD if HEAD in self._tensors else "embed_tokens.weight"
        return states @ self._tensors[name].T

    def _normalised(self, x: Tensor, name: str) -> Tensor:
        scale = (x.double().square().mean(-1, keepdim=True) + self._epsilon).rsqrt()
        return (x * scale).float() * self._tensors[name]

    def _heads(self, x: Tensor, name: str) -> Tensor:
        y = x @ self._tensors[name + ".weight"].T
        if name + ".bias" in self._tensors:
            y = y + self._tensors[name + ".bias"]
        return y.unflatten(-1, (-1, self._config["head_size"])).transpose(0, 1)

    def _states(self, tokens: Tensor) -> Tensor:
        torch, config = self._torch, self._config
        angles = torch.arange(len(tokens), dtype=torch.float64)[:, None] * self._turns
        cos, sin = angles.cos().float(), angles.sin().float()

        def rotated(x: Tensor) -> Tensor:
            a, b = x.chunk(2, -1)
            return torch.cat([a * cos - b * sin, b * cos + a * sin], -1)

        x = self._tensors["embed_tokens.weight"][tokens]
        for layer in range(config["layers"]):
            at = f"layers.{layer}."
            y = self._normalised(x, at + "input_layernorm.weight")
            q, k, v = (self._heads(y, f"{at}self_attn.{part}_proj") for part in "qkv")
            shared = config["heads"] // config["kv_heads"]
            k, v = (part.repeat_interleave(shared, 0) for part in (rotated(k), v))
            mixed = torch.nn.functional.scaled_dot_product_attention(
                rotated(q)[None], k[None], v[None], is_causal=True
            )[0]
            mixed = mixed.transpose(0, 1).flatten(1)
            x = x + mixed @ self._tensors[at + "self_attn.o_proj.weight"].T
            y = self._normalised(x, at + "post_attention_layernorm.weight")
            gate, up = (
                y @ self._tensors[f"{at}mlp.{part}_proj.weight"].T for part in ("gate", "up")
            )
            y = torch.nn.functional.silu(gate) * up
            x = x + y @ self._tensors[at + "mlp.down_proj.weight"].T
        return self._normalised(x, "norm.weight")


def of_pack(pack: bytes) -> FloatModel:
    """The weights that a pack stands for; `_native.check_pack` has found it whole."""
    import numpy as np

    data = memoryview(pack)
    size = int.from_bytes(data[12:20], "little")
    header = json.loads(bytes(data[20 : 20 + size]))
    config, entries = header["config"], header["tensors"]

    def matrix(entry: Mapping[str, Any], data: memoryview) -> Floats:
        rows, inputs = entry["shape"]
        panels = -(-rows // PANEL)
        count = panels * PANEL * inputs
        weights = np.frombuffer(data[:count], np.int8).reshape(panels, inputs // 4, PANEL, 4)
        scales = np.frombuffer(data[count:], "<u2").reshape(panels, inputs // GROUP, PANEL)
        wide = weights.transpose(0, 2, 1, 3).reshape(-1, inputs)[:rows].astype(np.float64)
        wide *= scales.transpose(0, 2, 1).reshape(-1, inputs // GROUP)[:rows].repeat(GROUP, axis=1)
        values: Floats = np.ldexp(wide, -entry["exponent"]).astype(np.float32)
        return values

    tensors = {}
    for name, entry in entries.items():
        own = data[entry["offset"] : entry["offset"] + entry["length"]]
        if entry["kind"] == "q8":
            found = matrix(entry, own)
        elif entry["kind"] in ("gain", "bias"):
            exponent = entry.get("exponent", 16)
            found = np.ldexp(np.frombuffer(own, "<i4").astype(float), -exponent).astype(np.float32)
        else:
            continue
        # Its scores are to the base of 2, and scaled.
        if ".q_proj." in name:
            found = found * np.float32(math.sqrt(config["head_size"]) / LOG2_E)
        tensors[name] = found
    rotary = entries["rotary"]
    words = data[rotary["offset"] : rotary["offset"] + rotary["length"]]
    turns = np.frombuffer(words, "<u8").astype(np.float64) * (2 * math.pi / 2.0**64)
    return FloatModel(config, math.ldexp(config["norm_eps"], -48), turns.tolist(), tensors)


def of_source(path: str) -> FloatModel:
    """The weights of a GGUF file or a Hugging Face folder, as an importer reads them.

    Raises what `importing.import_model` raises.
    """
    from llmzip.models.importing import with_checkpoint

    def made(found: Checkpoint) -> FloatModel:
        config = found.config
        sizes = ("layers", "heads", "kv_heads", "head_size")
        half = config.head_size // 2
        factors = config.rope_factors or (1.0,) * half
        turns = [config.rope_theta ** (-i / half) / factor for i, factor in enumerate(factors)]
        tensors = {name: found.tensors[name] for name in found.tensors}
        shape = {name: getattr(config, name) for name in sizes}
        return FloatModel(shape, config.norm_eps, turns, tensors)

    return with_checkpoint(path, made)
