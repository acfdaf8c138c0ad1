"""Content and archives that several unit tests use."""

from __future__ import annotations

from random import Random

import pytest

import llmzip

# Quick, and cuts the content into nine segments.
OPTIONS = llmzip.Options(level=1, segment_size=5000, threads=1)


def lines(count: int) -> bytes:
    """Text that compresses well."""
    return b"".join(b"line %d of some text\n" % number for number in range(count))


@pytest.fixture(scope="session")
def content() -> bytes:
    """41 kB: five segments of text, two of noise, one of zeros, and a short one."""
    return lines(1200)[:25_000] + Random(1).randbytes(10_000) + bytes(5000) + lines(60)[:1000]


@pytest.fixture(scope="session")
def options() -> llmzip.Options:
    """See `OPTIONS`."""
    return OPTIONS


@pytest.fixture(scope="session")
def archive(content) -> bytes:
    """`content` in nine segments."""
    return llmzip.compress(content, options=OPTIONS)
