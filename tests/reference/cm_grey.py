"""Predictor `cm`, version 1: pixels of grey images. FORMAT.md, section 8.8a."""

from typing import NamedTuple

import numpy as np
from numpy import uint64 as u64

from . import cm_plans as plans
from .cm_basics import GOLDEN, compiled, counter, mix, share, stretched, updated, zeros
from .cm_history import Past, back

LIMIT = 1023
PREDICTORS = 8
ROW = 8 * 512
BOUNDS = np.array([2, 6, 13, 25, 41, 65, 97, 141, 201, 301, 451])
BRIGHT = np.array([(0, 4, -1), (1, 3, 3), (2, 3, 3), (3, 2, 2)])
SHADES = np.array([(0, 3, -1), (1, 2, 2), (2, 1, 1)])


class Grey(NamedTuple):
    """Empty where grey pixels are not used."""

    shape: np.ndarray  # plane, offset
    predictors: np.ndarray
    values: np.ndarray  # blended, corrected, like
    errors: np.ndarray  # by place modulo their number: of predictors and of `corrected`
    means: np.ndarray  # sum and count
    templates: np.ndarray  # prediction, row, shift, bits
    firsts: np.ndarray
    counters: np.ndarray
    places: np.ndarray


def new_grey(plan: plans.Plan, stride: int, plane: int, offset: int) -> Grey:
    used = len(plan.templates)
    sizes = [ROW << bits for *_, bits in plan.templates]
    return Grey(
        shape=np.array([plane, offset]),
        predictors=zeros(PREDICTORS),
        values=zeros(3),
        errors=zeros(stride + 2 if used else 0, PREDICTORS + 1),
        means=zeros(4096 if used else 0, 2),
        templates=np.array(plan.templates, dtype=np.int64).reshape(used, 4),
        firsts=np.array([sum(sizes[:i]) for i in range(used)], dtype=np.int64),
        counters=np.full(sum(sizes), counter(2**21, 0)),
        places=zeros(used),
    )


@compiled
def pixel(past: Past, distance: int) -> int:
    return np.int64(back(past, distance))


@compiled
def level(x: int) -> int:
    return min(max(x, 0), 255)


@compiled
def class_of(x: int) -> int:
    """How many bounds are not above x."""
    return (x >= BOUNDS).sum()


@compiled
def learn_pixel(past: Past, s: Grey) -> None:
    """8.8a: errors of the pixel that came."""
    seen = past.values[0].seen
    if seen == 0:
        return
    came = pixel(past, 1)
    own = s.errors[(seen - 1) % len(s.errors)]
    for k in range(PREDICTORS):
        own[k] = abs(came - s.predictors[k])
    own[PREDICTORS] = (abs(4 * came - s.values[1]) + 1) >> 2
    mean = s.means[s.values[2]]
    mean[0] += 4 * came - s.values[0]
    mean[1] += 1
    if mean[1] == 64:
        mean[0] >>= 1
        mean[1] = 32


@compiled
def error(past: Past, s: Grey, distance: int, k: int) -> int:
    seen = past.values[0].seen
    return s.errors[(seen - distance) % len(s.errors), k] if distance <= seen else 0


@compiled
def nearby(past: Past, s: Grey, k: int) -> int:
    """8.8a: the sum of errors around."""
    w = past.values[0].stride
    total = 2 * error(past, s, 1, k)
    return total + error(past, s, w, k) + error(past, s, w - 1, k) + error(past, s, w + 1, k)


@compiled
def blend(past: Past, s: Grey) -> int:
    upper = 0
    total = 0
    for k in range(PREDICTORS):
        e = nearby(past, s, k)
        weight = 2**20 // (e * e // 4 + 1)
        upper += weight * s.predictors[k]
        total += weight
    return (4 * upper + total // 2) // total


@compiled
def adjust(w: int, n: int, nw: int, ne: int, steeper: int) -> int:
    mean = ((w + n) >> 1) + ((ne - nw) >> 2)
    if steeper > 80:
        mean = w
    elif steeper > 32:
        mean = (mean + w) >> 1
    elif steeper > 8:
        mean = (3 * mean + w) >> 2
    elif steeper < -80:
        mean = n
    elif steeper < -32:
        mean = (mean + n) >> 1
    elif steeper < -8:
        mean = (3 * mean + n) >> 2
    return level(mean)


@compiled
def form_masks(past: Past) -> None:
    t = past.around
    stride = past.values[0].stride
    bits = 0
    for row, left, right in BRIGHT:
        for forward in range(-left, right + 1):
            bits = 2 * bits + (pixel(past, row * stride - forward) >= 128)
    t[plans.BRIGHT] = bits
    digits = 0
    for row, left, right in SHADES:
        for forward in range(-left, right + 1):
            shade = pixel(past, row * stride - forward)
            digits = 3 * digits + (shade >= 32) + (shade >= 208)
    t[plans.SHADES] = digits


@compiled
def form_around(past: Past, s: Grey) -> None:
    """8.8a: what is known of the next pixel, and where each template's row starts."""
    if len(s.templates) == 0:
        return
    learn_pixel(past, s)
    t = past.around
    v = past.values[0]
    stride = v.stride
    w, n, nw, ne = (
        pixel(past, 1),
        pixel(past, stride),
        pixel(past, stride + 1),
        pixel(past, stride - 1),
    )
    ww, nn = pixel(past, 2), pixel(past, 2 * stride)
    nne, nee = pixel(past, 2 * stride - 1), pixel(past, stride - 2)
    place = v.seen - s.shape[1]
    inside = 0 if place < 0 else place % (s.shape[0] if s.shape[0] > 0 else stride)
    across = abs(w - ww) + abs(n - nw) + abs(n - ne)
    down = abs(w - nw) + abs(n - nn) + abs(ne - nne)
    median = min(max(w + n - nw, min(w, n)), max(w, n))
    adjusted = adjust(w, n, nw, ne, down - across)
    falling = level(2 * n - nn)
    s.predictors[:4] = median, adjusted, level(n + ne - nne), level(w + ne - n)
    s.predictors[4:] = (w + n + 1) >> 1, w, n, level(w + ((ne - nw) >> 1))
    blended = blend(past, s)
    errors = nearby(past, s, PREDICTORS)
    b = (blended + 2) >> 2
    energy = class_of(((across + down) >> 1) + 2 * errors)
    texture = (n > b) + 2 * (w > b) + 4 * (nw > b) + 8 * (ne > b) + 16 * (nn > b) + 32 * (ww > b)
    texture += 64 * (falling > b) + 128 * (level(2 * w - ww) > b)
    like = 256 * energy + texture
    corrected = min(max(blended + s.means[like, 0] // (s.means[like, 1] + 2), 0), 1020)
    s.values[:] = blended, corrected, like
    t[:8] = w, n, nw, ne, ww, nn, nne, nee
    t[plans.BEFORE] = pixel(past, s.shape[0])
    t[plans.X], t[plans.Y], t[plans.INSIDE] = inside % stride, inside // stride, inside
    t[plans.MEDIAN], t[plans.ADJUSTED], t[plans.BLENDED] = median, adjusted, b
    t[plans.CORRECTED], t[plans.FALLING] = (corrected + 2) >> 2, falling
    t[plans.ENERGY], t[plans.ERRORS], t[plans.TEXTURE] = energy, class_of(errors), texture
    t[plans.SUM] = w + n + nw + ne + ww + nn + nne + nee
    form_masks(past)


@compiled
def around_value(past: Past, places: np.ndarray, count: int) -> u64:
    """8.4: Around."""
    h = u64(0)
    for i in range(count):
        h = mix(h, u64(past.around[places[i, 0]] >> places[i, 1]))
    return h


@compiled
def grey_inputs(past: Past, s: Grey, inputs: np.ndarray) -> None:
    """8.8a: two inputs of each template."""
    v = past.values[0]
    lowest = (v.partial << (8 - v.pos)) & 255
    for i in range(len(s.templates)):
        prediction, which, shift, bits = s.templates[i]
        row = (past.around[which] >> shift) & ((1 << bits) - 1)
        distance = 256 + past.around[prediction] - lowest
        s.places[i] = s.firsts[i] + row * ROW + v.pos * 512 + distance
        inputs[2 * i] = stretched(s.counters[s.places[i]])
        inputs[2 * i + 1] = share(s.counters[s.places[i]])


@compiled
def update_grey(s: Grey, bit: int) -> None:
    for i in range(len(s.templates)):
        s.counters[s.places[i]] = updated(s.counters[s.places[i]], bit == 1, LIMIT)


@compiled
def grey_selector(past: Past, which: int) -> int:
    """8.9: those of grey pixels."""
    t = past.around
    v = past.values[0]
    if which == plans.BY_ENERGY:
        return t[plans.ENERGY] * 8 + v.pos
    if which == plans.BY_PAIR:
        return 16 * (t[plans.W] >> 4) + (t[plans.N] >> 4)
    if which == plans.BY_PLACE:
        return min(t[plans.INSIDE], 2047)
    if which == plans.BY_TEXTURE:
        return t[plans.TEXTURE]
    if which == plans.BY_SUM:
        return t[plans.SUM] >> 1
    if which == plans.BY_LEVELS:
        digits = 0
        for i in range(6):
            digits = 3 * digits + (t[i] > 0) + (t[i] >= 128)
        return digits
    half = 128 >> v.pos
    above = t[plans.CORRECTED] - ((v.partial << (8 - v.pos)) & 255) + half
    return v.pos * 32 + (0 if above < 0 else min(1 + above * 30 // (4 * half), 31))


@compiled
def grey_base(past: Past, which: int) -> int:
    """8.10: those of grey pixels."""
    t = past.around
    if which == plans.SET_PLACE:
        h = mix(u64(t[plans.X]), u64(t[plans.Y]))
    elif which == plans.SET_PREDICTION:
        h = mix(u64(t[plans.CORRECTED]), u64(t[plans.ENERGY]))
    else:
        h = u64(t[plans.SHADES])
    return np.int64((h * GOLDEN) >> u64(48))
