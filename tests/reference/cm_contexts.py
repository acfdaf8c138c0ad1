"""Predictor `cm`, version 1: contexts and their bit histories. FORMAT.md, sections 8.4 and 8.5."""

from typing import NamedTuple

import numpy as np
from numpy import uint64 as u64

from . import cm_plans as plans
from .cm_basics import (
    GOLDEN,
    HISTORY,
    LOW_32,
    SPREAD,
    compiled,
    mix,
    new_map,
    share,
    stretched,
    updated,
    zeros,
)
from .cm_grey import around_value
from .cm_history import Past, above, back, column, line_byte, nest, tail, word_length

LIMIT = 1023


class Contexts(NamedTuple):
    """One row or value for each context, but for the table."""

    plan: np.ndarray  # kind, number and count of places
    masks: np.ndarray
    places: np.ndarray
    hashes: np.ndarray
    table: np.ndarray
    slot_places: np.ndarray  # where each context's slot starts, -1 if none was opened yet
    slots: np.ndarray  # each context's own copy of 15 histories
    maps: np.ndarray
    records: np.ndarray  # 12.4: distances by place and context, 0 behind the last one


def new_contexts(plan: plans.Plan, table_bits: int) -> Contexts:
    n = len(plan.contexts)
    places = zeros(n, 8, 2)
    for own, context in zip(places, plan.contexts, strict=True):
        own[: len(context.places)] = np.array(context.places).reshape(-1, 2)
    return Contexts(
        plan=np.array([(c.kind, c.number, len(c.places)) for c in plan.contexts]),
        masks=np.array([c.mask for c in plan.contexts], dtype=np.uint64),
        places=places,
        hashes=zeros(n),
        table=np.zeros(2**table_bits, dtype=np.uint8),
        slot_places=np.full(n, -1),
        slots=np.zeros((n, 15), dtype=np.uint8),
        maps=np.tile(new_map(), (n, 1)),
        records=zeros(0, 0, 0),
    )


@compiled
def word_value(past: Past, kind: int, j: int) -> u64:
    """8.4: contexts of words."""
    v = past.values[0]
    word = mix(v.word, tail(v, 1))
    if kind == plans.WORD_PREVIOUS:
        return mix(word, past.previous[0])
    if kind == plans.WORD_SKIP:
        return mix(word, past.previous[1])
    if kind == plans.WORD_TWO:
        return mix(mix(word, past.previous[0]), past.previous[1])
    if kind == plans.WORD_ABOVE:
        return mix(mix(v.word, past.previous[0]), u64(256) + above(past, 0))
    if kind == plans.WORDS:
        h = mix(tail(v, 1), u64(1) if v.word != u64(0) else u64(0))
        for i in range(j):
            h = mix(h, past.previous[i])
        return h
    if kind == plans.WORD_LINE:
        return mix(v.word, u64(256) + line_byte(past, 0))
    if kind == plans.WORD_END:
        return mix(tail(v, 3), u64(min(word_length(v), 15)))
    return word


@compiled
def placed_value(past: Past, kind: int, j: int, places: np.ndarray, count: int) -> u64:
    """8.4: contexts of bytes at distances."""
    v = past.values[0]
    start = 0
    if kind == plans.PLACE:
        start = 1 + (v.seen % v.stride if v.stride > 0 else 0)
    elif kind == plans.PHASE:
        start = 1 + v.seen % 4
    h = mix(u64(start), tail(v, j))
    for i in range(count):
        if kind == plans.ABOVE or kind == plans.PLACE:
            h = mix(h, back(past, places[i, 0] * v.stride - places[i, 1]))
        else:
            h = mix(h, back(past, places[i, 0]))
    return h


@compiled
def followed_value(past: Past, which: int) -> u64:
    """8.4: Indirect."""
    one, two = np.int64(tail(past.values[0], 1)), np.int64(tail(past.values[0], 2))
    if which == 0:
        return u64((past.after1[one] & 0xFFFF) + (one << 16))
    if which == 1:
        return u64(past.after1[one] & 0xFFFFFF)
    if which == 2:
        return u64((past.after2[two] & 0xFFFF) + (two << 16))
    return u64((past.after2[two] & 0xFFFFFF) + (one << 24))


@compiled
def record_value(past: Past, distances: np.ndarray) -> u64:
    """12.4: Record."""
    v = past.values[0]
    h = mix(u64(0), u64(1 + v.seen % v.stride))
    for d in distances:
        if d > 0:
            h = mix(h, back(past, d))
    return h


@compiled
def value(past: Past, s: Contexts, k: int) -> u64:
    """8.4: the value of context k."""
    v = past.values[0]
    kind, j, count = s.plan[k]
    if kind == plans.ORDER:
        return tail(v, j)
    if kind == plans.MASKED:
        return v.last8 & s.masks[k]
    if kind == plans.COLUMN:
        at = u64(min(column(v), 255))
        return at + (above(past, 0) << u64(8)) + (tail(v, 1) << u64(16))
    if kind == plans.LINE_ABOVE:
        around = above(past, -1) + (above(past, 0) << u64(8)) + (above(past, 1) << u64(16))
        return around + (tail(v, 1) << u64(24))
    if kind == plans.LINE_START:
        start = line_byte(past, 0) + (line_byte(past, 1) << u64(8))
        return start + (u64(min(column(v), 255)) << u64(16))
    if kind == plans.INDIRECT:
        return followed_value(past, j)
    if kind == plans.SHAPE or kind == plans.SHAPE_BYTE:
        shape = v.shape & ((u64(1) << u64(4 * j)) - u64(1))
        return shape if kind == plans.SHAPE else mix(tail(v, 1), shape)
    if kind == plans.RECORD:
        return record_value(past, s.records[v.seen % v.stride, k])
    if kind == plans.AROUND:
        return around_value(past, s.places[k], count)
    if kind == plans.NEST:
        return mix(nest(past), tail(v, 2))
    if kind == plans.TREND:
        trend = u64(2) * back(past, v.stride) - back(past, 2 * v.stride)
        return mix(trend & u64(255), tail(v, j))
    if kind >= plans.ABOVE:
        return placed_value(past, kind, j, s.places[k], count)
    return word_value(past, kind, j)


@compiled
def form_hashes(past: Past, s: Contexts) -> None:
    """8.4: hashes for the first nibble."""
    for k in range(len(s.hashes)):
        salted = (value(past, s, k) * GOLDEN) ^ (u64(k + 1) * SPREAD)
        s.hashes[k] = np.int64(((salted * GOLDEN) >> u64(32)) ^ (salted >> u64(40)))


@compiled
def form_second_hashes(s: Contexts, partial: int) -> None:
    """8.4: hashes for the second nibble."""
    for k in range(len(s.hashes)):
        h = (u64(s.hashes[k] ^ partial) * u64(0x9E3779B1)) & LOW_32
        s.hashes[k] = np.int64(h ^ (h >> u64(15)))


@compiled
def open_slots(s: Contexts) -> None:
    """8.5: each context's slot for the next nibble."""
    for k in range(len(s.hashes)):
        if s.slot_places[k] >= 0:
            for j in range(15):
                s.table[s.slot_places[k] + j] = s.slots[k, j]
        hash_ = s.hashes[k]
        check = hash_ & 255
        bucket = 64 * ((hash_ >> 8) % (len(s.table) // 64))
        chosen = -1
        for i in range(4):
            if chosen < 0 and s.table[bucket + i] == check:
                chosen = i
        if chosen < 0:
            fewest = 1000
            for i in range(4):
                row = HISTORY[s.table[bucket + 4 + 15 * i]]
                if row[2] + row[3] < fewest:
                    fewest = row[2] + row[3]
                    chosen = i
            s.table[bucket + chosen] = check
            for j in range(15):
                s.table[bucket + 4 + 15 * chosen + j] = 0
        s.slot_places[k] = bucket + 4 + 15 * chosen
        for j in range(15):
            s.slots[k, j] = s.table[s.slot_places[k] + j]


@compiled
def node(v: np.void) -> int:
    """8.5: the index in a slot of the history of this bit."""
    if v.pos < 4:
        return v.partial - 1
    size = 1 << (v.pos - 4)
    return size + v.partial % size - 1


@compiled
def context_inputs(v: np.void, s: Contexts, inputs: np.ndarray, distances: np.ndarray) -> None:
    """8.5: an input of each context, a distance of each if there is room, and `hits`."""
    at = node(v)
    hits = 0
    for k in range(len(s.hashes)):
        bits = s.slots[k, at]
        seen = bits != 0
        hits += seen
        inputs[k] = stretched(s.maps[k, bits]) if seen else 0
        if len(distances) > 0:
            distances[k] = share(s.maps[k, bits]) if seen else 0
    v.hits = hits


@compiled
def update_contexts(v: np.void, s: Contexts, bit: int) -> None:
    at = node(v)
    for k in range(len(s.hashes)):
        bits = s.slots[k, at]
        s.maps[k, bits] = updated(s.maps[k, bits], bit == 1, LIMIT)
        s.slots[k, at] = HISTORY[bits, bit]
