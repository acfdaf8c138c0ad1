"""Predictor `llm`: how bits and ends of tokens are mixed. FORMAT.md, sections 11.4 to 11.6."""

import numpy as np

from .cm_basics import SQUASH, STRETCH, compiled, updated
from .cm_matches import length_class
from .cm_mixer import (
    FIRST_POINTS,
    ONE,
    Mixer,
    error,
    final_probability,
    initial_weights,
    mix_inputs,
    mixed,
    new_mixer,
    train,
)
from .cm_plans import SET_EXTERNAL, Plan
from .cm_steps import State, gather_inputs, update

RATES = np.array([[200, 2000, 6], [60, 500, 7]])
EXTERNAL_VECTORS = (256, 320)


def joined_curves(rich: bool) -> tuple[tuple[int, int], ...]:
    """11.6: sets with their weights."""
    if rich:
        return ((0, 1), (1, 1), (2, 2), (SET_EXTERNAL, 2))
    return ((2, 3), (SET_EXTERNAL, 3))


def joined_mixer(plan: Plan, with_model: bool) -> Mixer:
    """11.6: the mixer for blocks with the model, or that for those without."""
    weights = np.array([*initial_weights(plan), ONE if with_model else 0, 0])
    n = len(plan.contexts)
    if with_model:
        end = len(weights) - 2 - (n if plan.distances else 0)
        weights[end - n : end] = min(ONE * 21 // (64 * n), ONE)
    plain = new_mixer(plan)
    sizes = [*np.diff([*plain.first_vectors, len(plain.uses)]).tolist(), *EXTERNAL_VECTORS]
    count = len(sizes)
    return plain._replace(
        rates=RATES if with_model else plain.rates,
        # What external inputs choose comes with them.
        selectors=np.append(plain.selectors, [-1, -1]),
        first_vectors=np.array([sum(sizes[:i]) for i in range(count)]),
        inputs=np.zeros(len(weights), dtype=np.int64),
        weights=np.tile(weights, (sum(sizes), 1)),
        uses=np.zeros(sum(sizes), dtype=np.int64),
        chosen=np.zeros(count, dtype=np.int64),
        estimates=np.zeros(count, dtype=np.int64),
        last_weights=np.full((512, count), ONE // count),
    )


@compiled
def expected(s: State) -> tuple[int, int]:
    """Between two bytes: what the first match model expects, and `len16`."""
    m = s.matches.models[0]
    if m.expected < 0:
        return 0, 0
    return m.expected, 1 + length_class(m.length) * 15 // 32


@compiled
def joined_predict(s: State, external: np.ndarray, chosen: np.ndarray) -> int:
    """11.4: the probability of a one, with external inputs and their selectors."""
    mixer = s.mixer
    end = len(mixer.inputs) - 2
    gather_inputs(s, mixer.inputs[:end])
    first = len(mixer.selectors) - 2
    for i in range(2):
        mixer.inputs[end + i] = external[i]
        mixer.chosen[first + i] = mixer.first_vectors[first + i] + chosen[i]
    st = mix_inputs(s.past, s.matches.models, mixer)
    for k in range(len(s.curves.sets)):
        if s.curves.sets[k, 0] == SET_EXTERNAL:
            s.curves.bases[k] = 256 * chosen[0]
    return final_probability(s.past.values[0].partial, s.curves, st)


@compiled
def joined_update(s: State, bit: int) -> None:
    """11.6: external inputs count less in training."""
    end = len(s.mixer.inputs)
    s.mixer.inputs[end - 2] >>= 2
    s.mixer.inputs[end - 1] >>= 1
    update(s, bit)


@compiled
def learn(s: State, data: np.ndarray) -> None:
    """11.6: learns bytes that are known, without the model."""
    external, chosen = np.zeros(2, dtype=np.int64), np.zeros(2, dtype=np.int64)
    for byte in data:
        for pos in range(8):
            chosen[:] = pos
            joined_predict(s, external, chosen)
            joined_update(s, byte >> (7 - pos) & 1)


class Ends:
    """11.5: whether a token ends."""

    def __init__(self) -> None:
        sizes = (128, 32, 65536)
        self.counters = [[2**21 << 10] * size for size in sizes]
        self.weights = np.tile(np.array([ONE, 0, 0, 0, 0]), (128 + 32, 1))
        self.uses = [0] * (128 + 32)
        self.last_weights = np.full((2, 2), ONE // 2)
        self.last_uses = [0, 0]
        self.points = np.tile(FIRST_POINTS, (128, 1))

    def predict(self, s: int, contexts: tuple[int, int, int]) -> int:
        """The probability of an end."""
        self.contexts = contexts
        own = [STRETCH[c[i] >> 20] for c, i in zip(self.counters, contexts, strict=True)]
        self.inputs = np.array([s, *own, 256])
        self.chosen = (contexts[0], 128 + contexts[1])
        self.estimates = np.array([mixed(self.inputs, self.weights, i) for i in self.chosen])
        self.last = [mixed(self.estimates, self.last_weights, i) for i in range(2)]
        st = (self.last[0] + self.last[1]) >> 1
        x = min(max(st, -31744), 31743) + 31744
        i, f = x >> 11, x & 2047
        point = self.points[contexts[0]].tolist()
        q = (point[i] * (2048 - f) + point[i + 1] * f) << 5
        self.nearest = i + (f >> 10)
        return max(1, (3 * int(SQUASH[(st + 32768) >> 4]) + q) >> 2)

    def update(self, end: bool) -> None:
        bit = int(end)
        for i in range(2):
            err = error(self.last[i], bit, RATES, 1, self.last_uses[i])
            train(self.estimates, self.last_weights, i, err)
            self.last_uses[i] += 1
        for i, at in enumerate(self.chosen):
            err = error(int(self.estimates[i]), bit, RATES, 0, self.uses[at])
            train(self.inputs, self.weights, at, err)
            self.uses[at] += 1
        point = self.points[self.contexts[0]]
        old = int(point[self.nearest])
        point[self.nearest] = old + ((65535 * bit - old + 32) >> 6)
        for counters, i in zip(self.counters, self.contexts, strict=True):
            counters[i] = updated(counters[i], end, 255)
