"""Tokenizers of byte-level BPE: tokens as bytes, merges, and the rule that cuts text into pieces.

A decoder needs the tokens' bytes alone: merges and rule say what the encoder proposes. What changes
text before it is cut (Unicode normalisation) is left out, since every byte counts.
"""

from __future__ import annotations

import re

from llmzip.errors import UnsupportedError
from llmzip.models.pack import TokenizerRules
from llmzip.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

# Rules by the names that GGUF files have for them.
GGUF_RULES = {
    "gpt-2": "gpt2",
    "smollm": "smollm",
    "starcoder": "smollm",
    "refact": "smollm",
    "llama3": "llama3",
    "llama-v3": "llama3",
    "llama-bpe": "llama3",
    "qwen2": "qwen2",
    "deepseek-r1-qwen": "qwen2",
    "tekken": "tekken",
}
_MOST = 4_000_000
_CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)|"
_WORD = r"[^\r\n\p{L}\p{N}]?\p{L}+|"
_SPACES = r"|\s*[\r\n]+|\s+(?!\S)|\s+"
_HEAD = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]"
_TAIL = r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
_OTHERS = r" ?[^\s\p{L}\p{N}]+[\r\n%s]*"
# Rules by the regular expressions in `tokenizer.json`.
_PATTERNS = {
    _CONTRACTIONS + _WORD + r"\p{N}{1,3}|" + _OTHERS % "" + _SPACES: "llama3",
    _CONTRACTIONS + _WORD + r"\p{N}|" + _OTHERS % "" + _SPACES: "qwen2",
    f"{_HEAD}*{_TAIL}+|{_HEAD}+{_TAIL}*|" + r"\p{N}|" + _OTHERS % "/" + _SPACES: "tekken",
}


def _signs() -> dict[str, int]:
    """The characters that stand for bytes in byte-level vocabularies (GPT-2's)."""
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in plain]
    signs = {chr(byte): byte for byte in plain}
    return signs | {chr(256 + number): byte for number, byte in enumerate(others)}


class Vocabulary(Record):
    """tokens: the bytes of each, empty for those that stand for no text.

    merges: pairs of tokens in the order in which they are merged.
    rule: how text is cut before; one of the names that FORMAT.md has.
    whole: whether a piece that is a token is taken as it is.
    first: the token that text begins with, or -1.
    """

    tokens: tuple[bytes, ...]
    merges: tuple[tuple[int, int], ...]
    rule: str
    whole: bool
    first: int

    def missing(self) -> list[int]:
        """The bytes that no token spells."""
        have = {token[0] for token in self.tokens if len(token) == 1}
        return [byte for byte in range(256) if byte not in have]

    def lender(self) -> int:
        """The last token that stands for no text: bytes without a token take its weights.

        Raises `UnsupportedError` where there is none.
        """
        for number in range(len(self.tokens) - 1, -1, -1):
            if not self.tokens[number]:
                return number
        raise UnsupportedError(
            f"the tokenizer has no token for {len(self.missing())} of 256 bytes, and none to "
            "spare; choose a model with a byte-level vocabulary"
        )

    def padded(self, size: int) -> Vocabulary:
        """The same with empty tokens up to `size`, the rows of the weights."""
        if len(self.tokens) > size:
            raise UnsupportedError(
                f"the tokenizer has {len(self.tokens):,} tokens, the weights {size:,}; "
                "use files that belong together"
            )
        if size > _MOST:
            raise UnsupportedError(f"a vocabulary of {size:,} tokens is not supported")
        return self.replace(tokens=self.tokens + (b"",) * (size - len(self.tokens)))

    def completed(self) -> Vocabulary:
        """The same with a token more for every byte that none spells."""
        return self.replace(tokens=self.tokens + tuple(bytes([byte]) for byte in self.missing()))

    def rules(self) -> TokenizerRules:
        """What goes into the pack."""
        rules: dict[str, str | int] = {
            "kind": "bpe",
            "pre": self.rule,
            "bos": self.first,
            "whole": int(self.whole),
        }
        return TokenizerRules(rules, self.tokens, self.merges)


def vocabulary(
    texts: Sequence[str],
    special: Sequence[bool],
    merges: Sequence[tuple[str, str]],
    rule: str,
    first: int | None,
) -> Vocabulary:
    """A vocabulary out of tokens as byte-level BPE writes them, one character for each byte.

    special: whether the token stands for no text. first: the token that the model's makers begin
    with, if they say so. Raises `UnsupportedError` for anything else.
    """
    signs = _signs()
    tokens: list[bytes] = []
    numbers: dict[str, int] = {}
    for number, (text, empty) in enumerate(zip(texts, special, strict=True)):
        try:
            token = b"" if empty else bytes([signs[sign] for sign in text])
        except KeyError:
            raise UnsupportedError(
                f"token {number} ({text!r}) is not written in bytes: no byte-level BPE; "
                "choose a model with a byte-level vocabulary"
            ) from None
        if token:
            if text in numbers:
                raise UnsupportedError(f"tokens {numbers[text]} and {number} are the same: damaged")
            numbers[text] = number
        tokens.append(token)
    pairs = []
    for left, right in merges:
        if not (left in numbers and right in numbers and left + right in numbers):
            raise UnsupportedError(f"the merge of {left!r} and {right!r} makes no token: damaged")
        pairs.append((numbers[left], numbers[right]))
    if first is not None and not 0 <= first < len(tokens):
        raise UnsupportedError(f"the first token {first} is not in the vocabulary: damaged")
    known = -1 if first is None else first
    return Vocabulary(tuple(tokens), tuple(pairs), rule, rule == "llama3", known)


def of_json(tokenizer: Mapping[str, Any], first: str | int | None) -> Vocabulary:
    """The vocabulary of a `tokenizer.json`; `first` is the token that text begins with.

    Raises `UnsupportedError` for what is no byte-level BPE or has an unknown rule; `KeyError`,
    `TypeError`, `ValueError` or `AttributeError` where the file is no tokenizer at all.
    """
    model = tokenizer["model"]
    if model.get("type") != "BPE":
        raise UnsupportedError(f"tokenizer model {model.get('type')!r} is not supported, BPE is")
    if model.get("byte_fallback"):
        raise UnsupportedError("a tokenizer with byte_fallback (SentencePiece) is not supported")
    added = {entry["id"]: entry["content"] for entry in tokenizer.get("added_tokens") or ()}
    own = {number: text for text, number in model["vocab"].items()}
    size = 1 + max([*own, *added])
    if min([*own, *added]) < 0 or size > _MOST:
        raise ValueError("token numbers")
    texts = [added.get(number, own.get(number, "")) for number in range(size)]
    special = [number in added or number not in own for number in range(size)]
    pairs = []
    for merge in model["merges"]:
        left, right = merge.split(" ") if isinstance(merge, str) else merge
        pairs.append((left, right))
    if isinstance(first, str):
        first = next((n for n, text in (own | added).items() if text == first), None)
    rule = _rule(tokenizer.get("pre_tokenizer") or {})
    found = vocabulary(texts, special, pairs, rule, first)
    return found.replace(whole=bool(model.get("ignore_merges")))


def _rule(cut: Mapping[str, Any]) -> str:
    """The rule of a `pre_tokenizer`."""
    steps = cut["pretokenizers"] if cut.get("type") == "Sequence" else [cut]
    kinds = [step.get("type") for step in steps]
    last = steps[-1]
    if last.get("type") == "ByteLevel" and not last.get("add_prefix_space"):
        own = bool(last.get("use_regex", True))
        if kinds == ["ByteLevel"] and own:
            return "gpt2"
        if kinds == ["Digits", "ByteLevel"] and own and steps[0].get("individual_digits"):
            return "smollm"
        if kinds == ["Split", "ByteLevel"] and not own:
            pattern = steps[0].get("pattern", {}).get("Regex", "")
            plain = steps[0].get("behavior") == "Isolated" and not steps[0].get("invert")
            if plain and pattern in _PATTERNS:
                return _PATTERNS[pattern]
    names = re.sub(r"[^\w, ]", "", ", ".join(map(str, kinds)))
    raise UnsupportedError(
        f"the tokenizer cuts text by an unknown rule ({names}); there are: "
        f"{', '.join(sorted({'gpt2', 'smollm', *_PATTERNS.values()}))}"
    )
