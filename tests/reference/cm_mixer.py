"""Predictor `cm`, version 1: mixer, curves, final probability. FORMAT.md, sections 8.9 and 8.10."""

from typing import NamedTuple

import numpy as np
from numpy import uint64 as u64

from . import cm_plans as plans
from .cm_basics import GOLDEN, LOW_32, SQUASH, clamp, compiled, squash, zeros
from .cm_grey import grey_base, grey_selector
from .cm_history import Past, above, back, column, tail, word_length
from .cm_pixels import FAR, NEAR, joined
from .cm_pixels import USED as PIXELS

ONE = 2**30  # of a weight
WEIGHT_LIMIT = 2**31 - 1 - 2**28
FIRST_POINTS = np.array([SQUASH[((i << 11) - 31744 + 32768) >> 4] >> 16 for i in range(32)])


class Mixer(NamedTuple):
    """All vectors of the first layer in a row, and those of the second."""

    rates: np.ndarray  # of both layers
    selectors: np.ndarray
    first_vectors: np.ndarray  # of each selector
    inputs: np.ndarray
    weights: np.ndarray
    uses: np.ndarray
    chosen: np.ndarray
    estimates: np.ndarray
    last_weights: np.ndarray
    last_uses: np.ndarray
    last_chosen: np.ndarray
    last_estimates: np.ndarray


class Curves(NamedTuple):
    """One row for each set."""

    sets: np.ndarray  # order or one of plans.SET_..., weight
    curves: np.ndarray
    bases: np.ndarray
    points: np.ndarray  # the one to be updated: curve, point


def initial_weights(plan: plans.Plan) -> list[int]:
    """8.9; in the order in which cm_steps.predict fills the inputs."""
    n = len(plan.contexts)
    return [
        0,
        *[2**27, 0] * len(plan.lengths),
        *[0] * (n if plan.runs else 0),
        *[2**26] * (2 * PIXELS if plan.pixels else 0),
        *[2**26] * (2 * len(plan.templates)),
        *[min(ONE * 21 // (8 * n), ONE)] * n,
        *[0] * (n if plan.distances else 0),
    ]


def new_mixer(plan: plans.Plan) -> Mixer:
    weights = np.array(initial_weights(plan))
    sizes = [plans.VECTORS[which] for which in plan.selectors]
    return Mixer(
        rates=np.array(plan.rates),
        selectors=np.array(plan.selectors),
        first_vectors=np.array([sum(sizes[:i]) for i in range(len(sizes))]),
        inputs=zeros(len(weights)),
        weights=np.tile(weights, (sum(sizes), 1)),
        uses=zeros(sum(sizes)),
        chosen=zeros(len(sizes)),
        estimates=zeros(len(sizes)),
        last_weights=np.full((512, len(sizes)), ONE // len(sizes)),
        last_uses=zeros(512),
        last_chosen=zeros(2),
        last_estimates=zeros(2),
    )


def new_curves(plan: plans.Plan) -> Curves:
    count = len(plan.curves)
    return Curves(
        sets=np.array(plan.curves),
        curves=np.tile(FIRST_POINTS.astype(np.uint16), (count, 65536, 1)),
        bases=zeros(count),
        points=zeros(count, 2),
    )


@compiled
def selector(past: Past, models: np.ndarray, which: int) -> int:
    """8.9: the value of a selector."""
    v = past.values[0]
    if which == plans.BY_PARTIAL:
        return v.partial
    if which == plans.BY_BYTE1:
        return np.int64(back(past, 1))
    if which == plans.BY_BYTE2:
        return np.int64(back(past, 2))
    if which == plans.BY_BYTE3:
        return np.int64(back(past, 3))
    if which == plans.BY_HITS:
        return min(v.hits, 15) * 64 + v.pos * 8 + models[0].len16 // 2
    if which == plans.BY_SHAPE:
        return np.int64(v.shape & u64(4095))
    if which == plans.BY_COLUMN:
        return min(column(v), 255) * 16 + (np.int64(above(past, 0)) >> 4)
    if which == plans.BY_EXPECTED:
        return (models[0].expected + 1) * 8 + v.pos
    if which == plans.BY_WORD_LENGTH:
        return (min(word_length(v), 15) * 16 + np.int64(v.shape & u64(15))) * 8 + v.pos
    if which == plans.BY_MATCHES:
        return models[1].len16 * 16 + models[2].len16
    if which == plans.BY_FIELD:
        return min(v.seen % v.stride, 255)
    if which == plans.BY_FIELD_BITS:
        both = (v.seen % v.stride * 256) ^ v.partial
        return np.int64((u64(both) * u64(0x9E3779B1) & LOW_32) >> u64(20))
    if which >= plans.BY_ENERGY:
        return grey_selector(past, which)
    return joined(past, NEAR if which == plans.BY_NEAR else FAR)


@compiled
def mixed(inputs: np.ndarray, weights: np.ndarray, vector: int) -> int:
    """8.9: a vector's estimate."""
    total = 0
    for i in range(len(inputs)):
        total += (inputs[i] * (weights[vector, i] >> 16)) >> 9
    return clamp(total >> 5, 32767)


@compiled
def error(estimate: int, bit: int, rates: np.ndarray, layer: int, uses: int) -> int:
    """8.9: `err` of a vector that has been trained `uses` times."""
    rate = rates[layer, 0] + rates[layer, 1] // (1 + min(uses >> rates[layer, 2], 255))
    err = (bit << 16) - (squash(estimate) >> 16)
    return clamp((err * rate) >> 11, 32767)


@compiled
def train(inputs: np.ndarray, weights: np.ndarray, vector: int, err: int) -> None:
    """8.9: trains a vector."""
    for i in range(len(inputs)):
        moved = weights[vector, i] + ((inputs[i] * err) >> 3)
        weights[vector, i] = clamp(moved, WEIGHT_LIMIT)


@compiled
def mix_inputs(past: Past, models: np.ndarray, s: Mixer) -> int:
    """8.9: both layers; the result is `st`. `models` are the match models.

    Where a selector is below 0, what it chooses is there already.
    """
    v = past.values[0]
    for i in range(len(s.selectors)):
        if s.selectors[i] >= 0:
            s.chosen[i] = s.first_vectors[i] + selector(past, models, s.selectors[i])
        s.estimates[i] = mixed(s.inputs, s.weights, s.chosen[i])
    s.last_chosen[0] = v.partial
    s.last_chosen[1] = 256 + min(v.hits, 15) * 16 + models[0].len16
    for i in range(2):
        s.last_estimates[i] = mixed(s.estimates, s.last_weights, s.last_chosen[i])
    return (s.last_estimates[0] + s.last_estimates[1]) >> 1


@compiled
def update_mixer(s: Mixer, bit: int) -> None:
    for i in range(2):
        at = s.last_chosen[i]
        err = error(s.last_estimates[i], bit, s.rates, 1, s.last_uses[at])
        train(s.estimates, s.last_weights, at, err)
        s.last_uses[at] += 1
    for i in range(len(s.selectors)):
        at = s.chosen[i]
        err = error(s.estimates[i], bit, s.rates, 0, s.uses[at])
        train(s.inputs, s.weights, at, err)
        s.uses[at] += 1


@compiled
def form_bases(past: Past, s: Curves) -> None:
    """8.10: after each byte."""
    v = past.values[0]
    for i in range(len(s.sets)):
        order = s.sets[i, 0]
        if order == 1:
            s.bases[i] = 256 * np.int64(tail(v, 1))
        elif order == 2:
            s.bases[i] = np.int64((tail(v, 2) * GOLDEN) >> u64(48))
        elif order == plans.SET_FIELD:
            s.bases[i] = 256 * min(v.seen % v.stride, 255)
        elif 2 < order < plans.SET_FIELD:
            s.bases[i] = grey_base(past, order)


@compiled
def final_probability(partial: int, s: Curves, st: int) -> int:
    """8.10: in units of 2^-32."""
    x = min(max(st, -31744), 31743) + 31744
    i = x >> 11
    f = x & 2047
    total = 2 * squash(st)
    for k in range(len(s.sets)):
        curve = s.bases[k] ^ partial
        point = s.curves[k, curve]
        q = (np.int64(point[i]) * (2048 - f) + np.int64(point[i + 1]) * f) << 5
        total += s.sets[k, 1] * q
        s.points[k, 0] = curve
        s.points[k, 1] = i + (f >> 10)
    return max(1, total >> 3)


@compiled
def update_curves(s: Curves, bit: int) -> None:
    for k in range(len(s.sets)):
        curve, i = s.points[k]
        point = np.int64(s.curves[k, curve, i])
        s.curves[k, curve, i] = point + ((65535 * bit - point + 32) >> 6)
