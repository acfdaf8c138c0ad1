"""Content and archives that several unit tests use."""

from __future__ import annotations

from random import Random

import pytest

import llmzip

# Quick, and cuts the content into eight segments.
OPTIONS = llmzip.Options(level=1, segment_size=5000, threads=1)


def lines(count: int) -> bytes:
    """Text that compresses well."""
    return b"".join(b"line %d of some text\n" % number for number in range(count))


@pytest.fixture(scope="session")
def content() -> bytes:
    """About 40 kB of text, noise and zeros."""
    return lines(1200) + Random(1).randbytes(6000) + bytes(6000)


@pytest.fixture(scope="session")
def options() -> llmzip.Options:
    """See `OPTIONS`."""
    return OPTIONS


@pytest.fixture(scope="session")
def archive(content) -> bytes:
    """`content` in eight segments."""
    return llmzip.compress(content, options=OPTIONS)
