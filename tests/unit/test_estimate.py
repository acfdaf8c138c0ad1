"""Estimates come from measured rates, or not at all."""

from __future__ import annotations

import pytest

from llmzip import estimate as module
from llmzip import route
from llmzip.errors import UsageError
from llmzip.estimate import estimate


def test_measured_rates_scale(monkeypatch):
    monkeypatch.setattr(module, "_RATES", {"zstd": {1: 1_000_000}})
    segment = route.segment_size(1)
    one = estimate(1_000_000, 1, None, 1)
    assert one is not None and one.seconds == 1.0
    # One segment is one thread's work, however many there are.
    assert estimate(1_000_000, 1, None, 8) == one
    many = estimate(8 * segment, 1, None, 4)
    assert many is not None
    assert many.seconds == pytest.approx(2 * segment / 1_000_000)
    each = route.most_memory(route.candidates(1, None), 1, segment) + 2 * segment
    assert many.memory == 4 * each
    uneven = estimate(5 * segment, 1, None, 4)
    assert uneven is not None and uneven.seconds == many.seconds
    empty = estimate(0, 1, None, 0)
    assert empty is not None and empty.seconds == 0


def test_what_was_not_measured_is_not_said(monkeypatch):
    monkeypatch.setattr(module, "_RATES", {"zstd": {1: 1_000_000}})
    assert estimate(1000, 2, None, 1) is None
    assert estimate(1000, 1, "store", 1) is None


def test_an_unknown_predictor():
    with pytest.raises(UsageError):
        estimate(1000, 6, "magic", 1)
