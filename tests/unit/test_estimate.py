"""Estimates come from measured rates, or not at all."""

from __future__ import annotations

import pytest

from llmzip import estimate as module
from llmzip import route
from llmzip.errors import UsageError
from llmzip.estimate import estimate, estimate_planned
from llmzip.pieces import Piece


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


def test_tensors_have_a_rate_of_their_own(monkeypatch):
    monkeypatch.setattr(module, "_RATES", {"cm": {6: 1000, 7: 500}, "tensor": {6: 10_000, 7: 5000}})
    header, tensor = Piece(100, small=True), Piece(40_000, "w", "f32")
    one = estimate_planned((header, tensor), 6, None, 1)
    assert one is not None and one.seconds == pytest.approx(4.01)
    # From level 7 on, what is little gets the predictor of other content.
    slow = estimate_planned((header, tensor), 7, None, 1)
    assert slow is not None and slow.seconds == pytest.approx(8.2)
    other = estimate_planned((Piece(3000), tensor, tensor), 6, None, 1)
    assert other is not None and other.seconds == pytest.approx(11)
    # A segment is one thread's work.
    two = estimate_planned((Piece(3000), tensor, tensor), 6, None, 2)
    assert two is not None and two.seconds == pytest.approx(5.5)
    uneven = estimate_planned((Piece(3000), tensor), 6, None, 8)
    assert uneven is not None and uneven.seconds == 4
    assert two.memory == 2 * other.memory
    assert estimate_planned((tensor,), 5, None, 1) is None
