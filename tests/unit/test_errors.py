"""Errors: one line, picklable, one exit code for each remedy."""

from __future__ import annotations

import pickle

import pytest

from llmzip import errors
from llmzip.errors import (
    CorpusError,
    CorruptError,
    DownloadError,
    LimitError,
    LlmzError,
    MissingPackageError,
    ModelError,
    NoSuchTensorError,
    NotAnArchiveError,
    PredictionMismatch,
    SetupError,
    TruncatedError,
    UnsupportedError,
    UsageError,
    VerifyError,
)

EXAMPLES = [
    LlmzError("x"),
    CorruptError("a chunk is damaged", offset=12345, segment=3),
    CorruptError("no offset"),
    TruncatedError("too short", offset=0),
    NotAnArchiveError("a tar"),
    PredictionMismatch(7),
    VerifyError("differs"),
    UnsupportedError("newer"),
    ModelError("no model"),
    MissingPackageError("needs numpy"),
    NoSuchTensorError("no x"),
    CorpusError("not here"),
    DownloadError("broken off"),
    LimitError("memory", 3 << 30, 2 << 30, "raise it with -M"),
    SetupError("no memory"),
    UsageError("no"),
]


def test_every_class_has_an_example():
    classes = {item for item in vars(errors).values() if isinstance(item, type)}
    assert {type(example) for example in EXAMPLES} == classes


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_pickling_keeps_everything(error):
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        again = pickle.loads(pickle.dumps(error, protocol))
        assert type(again) is type(error)
        assert str(again) == str(error)
        assert vars(again) == vars(error)


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_the_message_is_one_line(error):
    assert str(error)
    assert "\n" not in str(error)


def test_kinds_tell_the_classes_apart():
    kinds = [type(error).kind for error in EXAMPLES]
    assert len(set(kinds)) == len({type(error) for error in EXAMPLES})


def test_exit_codes():
    codes = {type(error): error.exit_code for error in EXAMPLES}
    assert {kind for kind, code in codes.items() if code == 3} == {
        UnsupportedError,
        ModelError,
        MissingPackageError,
        CorpusError,
        LimitError,
        SetupError,
    }
    assert {kind for kind, code in codes.items() if code == 2} == {UsageError}
    assert {code for code in codes.values()} == {1, 2, 3}


def test_where_is_in_the_message():
    assert str(CorruptError("bad", offset=12345, segment=3)) == "bad, at byte 12,345, in segment 3"
    limit = LimitError("memory", 3000, 2000, "raise it with -M")
    assert "3,000" in str(limit) and "2,000" in str(limit) and "-M" in str(limit)
