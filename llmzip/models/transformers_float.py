"""Any causal language model of transformers, in float32: code lengths, never archives.

Floats differ between machines and batch sizes, so that what they code may not open elsewhere: these
are numbers to compare with. Needs the extra `hf`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from llmzip.errors import MissingPackageError, ModelError

if TYPE_CHECKING:
    from collections.abc import Sequence

# Positions whose logits are held at a time.
_PIECE = 128


class CausalModel:
    """A model and its tokenizer, from a folder or by the name of one that was downloaded before.

    Nothing is downloaded. Raises `MissingPackageError` without transformers, `ModelError` for what
    it cannot load.
    """

    def __init__(self, path: str) -> None:
        try:
            import torch  # type: ignore[import-not-found,unused-ignore]
            import transformers  # type: ignore[import-not-found,unused-ignore]
        except ImportError as error:
            raise MissingPackageError(
                f"evaluating {path} needs torch and transformers: pip install 'llmzip[hf]'"
            ) from error
        self._torch = torch
        self._path = path
        try:
            # What a model brings to run is not run.
            tokenizer = transformers.AutoTokenizer.from_pretrained(path, local_files_only=True)
            model = transformers.AutoModelForCausalLM.from_pretrained(
                path, local_files_only=True, dtype=torch.float32
            )
        except (OSError, ValueError, KeyError, ImportError) as error:
            first = str(error).strip().splitlines()[0] if str(error).strip() else repr(error)
            raise ModelError(f"{path}: transformers cannot load it: {first}") from None
        self._tokenizer: Any = tokenizer
        self._model: Any = model.eval()

    @property
    def size(self) -> int:
        """What its weights take at two bytes each, as papers count them."""
        return 2 * sum(int(tensor.numel()) for tensor in self._model.parameters())

    def tokens(self, text: bytes) -> list[int]:
        """Tokens that spell the text, without special ones.

        Raises `ModelError` for a text that is no UTF-8, or that the tokenizer does not give back.
        """
        try:
            characters = text.decode()
        except UnicodeDecodeError:
            raise ModelError(f"{self._path}: its tokens spell UTF-8 alone") from None
        tokens: list[int] = self._tokenizer(characters, add_special_tokens=False)["input_ids"]
        back = self._tokenizer.decode(tokens, clean_up_tokenization_spaces=False)
        if back != characters:
            raise ModelError(f"{self._path}: its tokens do not spell the text, but change it")
        return tokens

    def tell(self, tokens: Sequence[int], window: int) -> list[tuple[float, int]]:
        """Nats and rank of each token; of equals, those of lower numbers are before it.

        Every `window` tokens the model begins anew with the token that texts begin with, which is
        one of them. Where the model has none, the first token of a window costs what it does if
        all are as likely.
        """
        torch = self._torch
        first: int | None = self._tokenizer.bos_token_id
        if first is None:
            first = getattr(self._model.config, "bos_token_id", None)
        own = window if first is None else window - 1
        found: list[tuple[float, int]] = []
        with torch.inference_mode():
            for at in range(0, len(tokens), own):
                some = list(tokens[at : at + own])
                if first is None:
                    found.append((math.log(self._model.config.vocab_size), some[0]))
                else:
                    some.insert(0, first)
                found += self._window(some)
        return found

    def _window(self, tokens: list[int]) -> list[tuple[float, int]]:
        """Of all tokens but the first."""
        torch = self._torch
        if len(tokens) < 2:
            return []
        logits = self._model(torch.tensor([tokens[:-1]])).logits[0]
        right = torch.tensor(tokens[1:])
        found: list[tuple[float, int]] = []
        for start in range(0, len(right), _PIECE):
            rows, own = logits[start : start + _PIECE].double(), right[start : start + _PIECE]
            chosen = rows.gather(1, own[:, None])
            nats = (rows.logsumexp(1) - chosen[:, 0]).tolist()
            before = torch.arange(rows.shape[1])[None] < own[:, None]
            ranks = ((rows > chosen) | ((rows == chosen) & before)).sum(1).tolist()
            found += zip(nats, ranks, strict=True)
        return found
