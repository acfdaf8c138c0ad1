"""Predictor `pc`: the circuit. FORMAT.md, sections 12.3, 12.5 and 12.6.

Learning is in float32, each operation by itself and in the order of the text; what the circuit says
is in whole numbers.
"""

from typing import NamedTuple

import numpy as np
from numpy import float32 as f32

from .cm_basics import compiled, zeros

LEAST = f32(1e-20)
HALF, ONE = f32(0.5), f32(1)
SHARE = (f32(0.5), f32(0.03))
PASSES, PARTS, MOST_BATCH, SEED = 3, 4, 256, 0x9E3779B9


class Tree(NamedTuple):
    """A tree of variables; `offsets` says where the values of each begin among those of all."""

    parents: np.ndarray  # -1 for the root
    order: np.ndarray
    children: np.ndarray  # of all variables, one after the other
    ends: np.ndarray  # where those of a variable end
    offsets: np.ndarray


class Numbers(NamedTuple):
    """Probabilities or counts: float32 while the circuit learns, int64 where it predicts."""

    first: np.ndarray
    steps: np.ndarray  # variable, state of the parent, state
    values: np.ndarray  # value, state


class Belief(NamedTuple):
    """12.6: what the values of a record so far say, by variable and state."""

    all: np.ndarray
    below: np.ndarray
    now: np.ndarray
    last: np.ndarray  # the one variable that was gone to


def new_tree(parents: list[int], values: list[int]) -> Tree | None:
    """None where these are no tree."""
    count = len(parents)
    children: list[list[int]] = [[] for _ in parents]
    for i, parent in enumerate(parents):
        if parent >= count:
            return None
        if parent >= 0:
            children[parent].append(i)
    if parents.count(-1) != 1:
        return None
    order, open_ = [], [parents.index(-1)]
    while open_:
        order.append(open_.pop())
        open_ += reversed(children[order[-1]])
    if len(order) < count:
        return None
    flat = [child for own in children for child in own]
    return Tree(
        parents=np.array(parents),
        order=np.array(order),
        children=np.array(flat, dtype=np.int64),
        ends=np.cumsum([len(own) for own in children]),
        offsets=np.array([sum(values[:i]) for i in range(count + 1)]),
    )


def new_numbers(tree: Tree, states: int, kind: type) -> Numbers:
    return Numbers(
        first=np.zeros(states, dtype=kind),
        steps=np.zeros((len(tree.parents), states, states), dtype=kind),
        values=np.zeros((tree.offsets[-1], states), dtype=kind),
    )


def new_belief(tree: Tree, states: int) -> Belief:
    count = len(tree.parents)
    return Belief(zeros(count, states), zeros(count, states), zeros(states), zeros(1))


@compiled
def total(v: np.ndarray) -> f32:
    """12.5: sum(v)."""
    parts = v.copy()
    w = len(v)
    while w > 1:
        w //= 2
        for i in range(w):
            parts[i] += parts[i + w]
    return parts[0]


@compiled
def count_values(tree: Tree, records: np.ndarray, marginals: np.ndarray) -> None:
    """12.5: marginals; a row of `records` has the values of the variables."""
    n = len(records)
    for i in range(len(tree.parents)):
        start, end = tree.offsets[i], tree.offsets[i + 1]
        counts = np.zeros(end - start, dtype=np.int64)
        for record in records:
            counts[record[i]] += 1
        for x in range(end - start):
            marginals[start + x] = f32(32 * counts[x] + 1) / f32(32 * n + end - start)


@compiled
def begin(tree: Tree, marginals: np.ndarray, p: Numbers) -> None:
    """12.5: what the circuit begins with."""
    s = SEED
    m = len(p.first)
    states = f32(m)
    p.first[:] = ONE / states
    for i in range(len(tree.parents)):
        if tree.parents[i] >= 0:
            for y in range(m):
                for z in range(m):
                    s ^= s << 13 & 0xFFFFFFFF
                    s ^= s >> 17
                    s ^= s << 5 & 0xFFFFFFFF
                    random = f32((s >> 16) + 1) * f32(1 / 65536)
                    p.steps[i, y, z] = random + (f32(2) if y == z else f32(0))
                by = ONE / total(p.steps[i, y])
                for z in range(m):
                    p.steps[i, y, z] *= by
        below = f32(0)
        sums = np.zeros(m, dtype=f32)
        for x in range(tree.offsets[i], tree.offsets[i + 1]):
            middle = below + marginals[x] * HALF
            below += marginals[x]
            for z in range(m):
                s ^= s << 13 & 0xFFFFFFFF
                s ^= s >> 17
                s ^= s << 5 & 0xFFFFFFFF
                random = f32((s >> 16) + 1) * f32(1 / 65536)
                a = (middle - (f32(z) + HALF) / states) * (states * HALF)
                lean = f32(3) / (ONE + a * a * a * a)
                p.values[x, z] = marginals[x] * ((f32(0.2) + lean) + random * HALF)
                sums[z] += p.values[x, z]
        for x in range(tree.offsets[i], tree.offsets[i + 1]):
            for z in range(m):
                p.values[x, z] /= sums[z]


@compiled
def scale(v: np.ndarray) -> None:
    by = f32(len(v)) / max(total(v), LEAST)
    for z in range(len(v)):
        v[z] = max(v[z] * by, LEAST)


@compiled
def expect(
    tree: Tree, p: Numbers, records: np.ndarray, chosen: np.ndarray, counts: Numbers
) -> None:
    """12.5: adds the expected counts of the chosen records."""
    m = len(p.first)
    n = len(tree.parents)
    beliefs, messages, afters = (
        np.zeros((n, m), dtype=f32),
        np.zeros((n, m), dtype=f32),
        np.zeros((n, m), dtype=f32),
    )
    ratio = np.zeros(m, dtype=f32)
    for row in chosen:
        record = records[row]
        for i in tree.order[::-1]:
            belief = beliefs[i]
            belief[:] = p.values[tree.offsets[i] + record[i]]
            start = tree.ends[i - 1] if i > 0 else 0
            for k in range(start, tree.ends[i]):
                message = messages[tree.children[k]]
                for z in range(m):
                    belief[z] *= message[z]
                if (k - start) % 4 == 3:
                    scale(belief)
            scale(belief)
            if tree.parents[i] >= 0:
                for y in range(m):
                    sum_ = f32(0)
                    for z in range(m):
                        sum_ += belief[z] * p.steps[i, y, z]
                    messages[i, y] = sum_
        for i in tree.order:
            belief, after = beliefs[i], afters[i]
            if tree.parents[i] < 0:
                for z in range(m):
                    after[z] = p.first[z] * belief[z]
                by = ONE / max(total(after), LEAST)
                for z in range(m):
                    after[z] *= by
                    counts.first[z] += after[z]
            else:
                above = afters[tree.parents[i]]
                for y in range(m):
                    ratio[y] = above[y] / max(messages[i, y], LEAST)
                for y in range(m):
                    for z in range(m):
                        counts.steps[i, y, z] += ratio[y] * belief[z]
                for z in range(m):
                    sum_ = f32(0)
                    for y in range(m):
                        sum_ += ratio[y] * p.steps[i, y, z]
                    after[z] = sum_ * belief[z]
            value = tree.offsets[i] + record[i]
            for z in range(m):
                counts.values[value, z] += after[z]


@compiled
def maximise(tree: Tree, r: Numbers, marginals: np.ndarray, p: Numbers) -> None:
    """12.5: parameters of the running statistics."""
    m = len(p.first)
    even = ONE / f32(m)
    by = ONE / (total(r.first) + ONE)
    for z in range(m):
        p.first[z] = (r.first[z] + even) * by
    for i in range(len(tree.parents)):
        if tree.parents[i] >= 0:
            for y in range(m):
                by = ONE / (total(r.steps[i, y]) + ONE)
                for z in range(m):
                    p.steps[i, y, z] = (r.steps[i, y, z] + even) * by
        g = np.ones(m, dtype=f32)
        for x in range(tree.offsets[i], tree.offsets[i + 1]):
            for z in range(m):
                g[z] += r.values[x, z]
        for z in range(m):
            g[z] = ONE / g[z]
        for x in range(tree.offsets[i], tree.offsets[i + 1]):
            for z in range(m):
                p.values[x, z] = (r.values[x, z] + marginals[x]) * g[z]


class Learner:
    """12.5: a circuit that learns."""

    def __init__(self, tree: Tree, states: int) -> None:
        self.tree, self.states = tree, states
        self.parameters = new_numbers(tree, states, f32)
        self.marginals = np.zeros(tree.offsets[-1], dtype=f32)
        self.running: Numbers | None = None

    def learn(self, records: np.ndarray) -> None:
        """From all records so far, a row each, a variable a column."""
        count_values(self.tree, records, self.marginals)
        if self.running is None:
            begin(self.tree, self.marginals, self.parameters)
        n = len(records)
        size = min(n // 4, MOST_BATCH)
        batches = -(-n // size)
        steps = batches * PASSES
        for t in range(steps):
            first = (t % batches + 7 * (t // batches)) % batches
            chosen = np.arange(first, n, batches)
            counts = self.expected(records, chosen)
            share = SHARE[0] + (SHARE[1] - SHARE[0]) * (f32(t) / f32(steps))
            by = f32(n) / f32(len(chosen))
            if self.running is None:
                self.running = Numbers(*(own * by for own in counts))
            else:
                keep, add = ONE - share, share * by
                pairs = zip(self.running, counts, strict=True)
                self.running = Numbers(*(old * keep + new * add for old, new in pairs))
            maximise(self.tree, self.running, self.marginals, self.parameters)

    def expected(self, records: np.ndarray, chosen: np.ndarray) -> Numbers:
        size = -(-len(chosen) // PARTS)
        whole = None
        for at in range(0, len(chosen), size):
            counts = new_numbers(self.tree, self.states, f32)
            expect(self.tree, self.parameters, records, chosen[at : at + size], counts)
            if whole is None:
                whole = counts
            else:
                whole = Numbers(*(a + b for a, b in zip(whole, counts, strict=True)))
        assert whole is not None
        return whole._replace(steps=whole.steps * self.parameters.steps)

    def circuit(self) -> Numbers:
        """12.6: whole numbers."""
        p = self.parameters
        one = f32(32768 - self.states)
        steps = [np.floor(v * one + HALF).astype(np.int64) + 1 for v in (p.first, p.steps)]
        values = np.floor(p.values * f32(65535) + HALF).astype(np.int64)
        return Numbers(*steps, np.minimum(values, 65535))


@compiled
def scaled(v: np.ndarray) -> np.ndarray:
    """12.6: in place, too."""
    sum_ = v.sum()
    bits = 0
    while sum_ >> bits:
        bits += 1
    for z in range(len(v)):
        moved = v[z] >> (bits - 16) if bits > 16 else v[z] << (16 - bits)
        v[z] = max(moved, 1)
    return v


@compiled
def visit(tree: Tree, c: Numbers, s: Belief, v: int) -> None:
    """12.6: goes to variable v."""
    m = len(c.first)
    p = tree.parents[v]
    if p < 0:
        s.now[:] = c.first
    else:
        u = s.last[0]
        while u != p:
            q = tree.parents[u]
            message = np.zeros(m, dtype=np.int64)
            for y in range(m):
                for z in range(m):
                    message[y] += c.steps[u, y, z] * s.below[u, z]
            scaled(message)
            for z in range(m):
                s.below[q, z] *= message[z]
                s.all[q, z] *= message[z]
            scaled(s.below[q])
            scaled(s.all[q])
            u = q
        for z in range(m):
            sum_ = 0
            for y in range(m):
                sum_ += s.all[p, y] * c.steps[v, y, z]
            s.now[z] = sum_ >> 16
    s.last[0] = v


@compiled
def masses(tree: Tree, c: Numbers, s: Belief, out: np.ndarray) -> None:
    """12.6: of the values of the variable that was gone to."""
    out[:] = 0
    v = s.last[0]
    for x in range(tree.offsets[v + 1] - tree.offsets[v]):
        for z in range(len(s.now)):
            out[x] += s.now[z] * c.values[tree.offsets[v] + x, z]


@compiled
def observe(tree: Tree, c: Numbers, s: Belief, x: int) -> None:
    """12.6: takes the value of the variable that was gone to."""
    v = s.last[0]
    for z in range(len(s.now)):
        there = x < tree.offsets[v + 1] - tree.offsets[v]
        own = max(c.values[tree.offsets[v] + x, z], 1) if there else 1
        s.all[v, z] = s.now[z] * own
        s.below[v, z] = own
    scaled(s.all[v])
    scaled(s.below[v])
