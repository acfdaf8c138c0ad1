"""Predictor `cm`, version 1, bit by bit. FORMAT.md, sections 8.3 and 6."""

from typing import NamedTuple

import numpy as np
from numpy import uint64 as u64

from .cm_basics import LOW_32, compiled
from .cm_contexts import (
    Contexts,
    context_inputs,
    form_hashes,
    form_second_hashes,
    open_slots,
    update_contexts,
)
from .cm_grey import Grey, form_around, grey_inputs, update_grey
from .cm_history import Past, take_byte
from .cm_matches import (
    Matches,
    Runs,
    find_match,
    find_runs,
    match_inputs,
    run_inputs,
    update_match,
    update_runs,
)
from .cm_mixer import (
    Curves,
    Mixer,
    final_probability,
    form_bases,
    mix_inputs,
    update_curves,
    update_mixer,
)
from .cm_pixels import Pixels, pixel_inputs, update_pixels

CANARY_BYTES = 64
BIAS = 256

# Of the arithmetic coder; `used` bytes of the payload were shifted in.
CODER = np.dtype([(name, np.uint64) for name in ("low", "high", "window")] + [("used", np.int64)])


class State(NamedTuple):
    """What a segment's predictor knows."""

    past: Past
    contexts: Contexts
    matches: Matches
    runs: Runs
    pixels: Pixels
    grey: Grey
    mixer: Mixer
    curves: Curves


@compiled
def start_byte(s: State) -> None:
    """8.3: what is prepared after each byte and before the first."""
    v = s.past.values[0]
    v.partial = 1
    v.pos = 0
    form_around(s.past, s.grey)
    form_hashes(s.past, s.contexts)
    form_bases(s.past, s.curves)
    find_runs(v, s.contexts.hashes, s.runs)
    open_slots(s.contexts)
    for model in range(len(s.matches.models)):
        find_match(s.past, s.matches, model)


@compiled
def gather_inputs(s: State, inputs: np.ndarray) -> None:
    """8.5 to 8.9: what is known of the next bit, as the mixer's inputs."""
    v = s.past.values[0]
    n = len(s.contexts.hashes)
    inputs[0] = BIAS
    at = 1
    for model in range(len(s.matches.models)):
        match_inputs(v, s.matches, model, inputs[at : at + 2])
        at += 2
    run_inputs(v, s.runs, inputs[at:])
    at += len(s.runs.runs)
    pixel_inputs(s.past, s.pixels, inputs[at:])
    at += 2 * len(s.pixels.places)
    grey_inputs(s.past, s.grey, inputs[at:])
    at += 2 * len(s.grey.places)
    context_inputs(v, s.contexts, inputs[at : at + n], inputs[at + n :])


@compiled
def predict(s: State) -> int:
    """8.5 to 8.10: the probability of a one."""
    gather_inputs(s, s.mixer.inputs)
    st = mix_inputs(s.past, s.matches.models, s.mixer)
    return final_probability(s.past.values[0].partial, s.curves, st)


@compiled
def update(s: State, bit: int) -> None:
    """8.3: learns a bit and moves on."""
    v = s.past.values[0]
    update_mixer(s.mixer, bit)
    update_curves(s.curves, bit)
    for model in range(len(s.matches.models)):
        update_match(v, s.matches, model, bit)
    update_runs(v, s.runs, bit)
    update_contexts(v, s.contexts, bit)
    update_pixels(s.pixels, bit)
    update_grey(s.grey, bit)

    v.partial = 2 * v.partial + bit
    v.pos += 1
    if v.pos == 4:
        form_second_hashes(s.contexts, v.partial)
        open_slots(s.contexts)
    elif v.pos == 8:
        take_byte(s.past, v.partial & 255)
        start_byte(s)


@compiled
def decode_bit(v: np.void, payload: np.ndarray, p: int) -> int:
    """Section 6; `v` is of the coder."""
    width = v.high - v.low
    part = u64(p)
    mid = v.low + (width >> u64(32)) * part + (((width & LOW_32) * part) >> u64(32))
    bit = 1 if v.window <= mid else 0
    if bit:
        v.high = mid
    else:
        v.low = mid + u64(1)
    while v.low >> u64(56) == v.high >> u64(56):
        byte = u64(payload[v.used]) if v.used < len(payload) else u64(0)
        v.low = v.low << u64(8)
        v.high = v.high << u64(8) | u64(255)
        v.window = v.window << u64(8) | byte
        v.used += 1
    return bit


@compiled
def advance(s: State, coder: np.ndarray, data: np.ndarray, length: int, first: np.ndarray) -> None:
    """Goes over `length` bytes, which are decoded from `data`, or are in it if there is no coder.

    Puts the first probabilities into `first`, as many as it has room for.
    """
    v = s.past.values[0]
    if v.seen == 0:
        start_byte(s)
    for at in range(length):
        for pos in range(8):
            p = predict(s)
            if 8 * at + pos < len(first):
                first[8 * at + pos] = p
            if len(coder) > 0:
                bit = decode_bit(coder[0], data, p)
            else:
                bit = (np.int64(data[at]) >> (7 - pos)) & 1
            update(s, bit)
