"""Predictor `pc`: layout and records, bit by bit. FORMAT.md, sections 12.3 and 12.4."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from . import cm_plans as plans
from .cm_basics import compiled, updated, zeros
from .cm_contexts import form_second_hashes, open_slots
from .cm_mixer import ONE, Mixer, final_probability, initial_weights, mix_inputs, new_mixer
from .cm_steps import State, decode_bit, gather_inputs, start_byte, update
from .errors import CorruptError
from .fields import Fields
from .llm_vocabulary import LN_2, LOG
from .pc_circuit import (
    Belief,
    Learner,
    Numbers,
    Tree,
    masses,
    new_belief,
    new_numbers,
    new_tree,
    observe,
    visit,
)
from .pc_schema import Field

MOST_RANKS, MOST_BEFORE, MOST_NUMBERS = 6, 16, 2**20
FIRST_LEARNING = 256
EXTERNAL_WEIGHT, EXTERNAL_VECTORS = 429496729, 256
EVEN = 64  # of each bit's mass
LOGS = np.array(LOG)

# 12.4: ranks, records above, and whether those before in the record count
CONTEXTS = (
    *(((), (), 0), ((0,), (), 0), ((1,), (), 0), ((0, 1), (), 0), ((0, 2), (), 0)),
    *(((0, 1, 2), (), 0), ((0, 1, 2, 3), (), 0), ((0, 1, 2, 3, 4), (), 0)),
    *(((0, 1, 2, 3, 4, 5), (), 0), ((), (1,), 0), ((), (1, 2), 0), ((), (), 1)),
    *(((0,), (1,), 0), ((1, 2), (), 0), ((), (1,), 1), ((0, 1), (1, 2, 3), 0)),
    *(((0, 3), (), 0), ((1, 3), (), 0), ((0, 1, 3), (), 0), ((0, 2, 3), (), 0)),
)


def states_of(level: int) -> int:
    return 8 if level < 6 else 16 if level == 6 else 32


def plan_of(level: int) -> plans.Plan:
    count = 12 if level < 6 else 20
    return plans.Plan(
        contexts=tuple(plans.Context(plans.RECORD, k) for k in range(count)),
        pixels=False,
        table_bits=25,
        distances=level >= 7,
        lengths=(12, 20),
        runs=False,
        selectors=(plans.BY_FIELD_BITS, plans.BY_FIELD, plans.BY_HITS, plans.BY_EXPECTED),
        rates=((300, 4000, 6), (60, 1000, 7)),
        curves=((plans.SET_FIELD, 3), (plans.SET_EXTERNAL, 3)),
        primer=False,
        templates=(),
    )


class Layout:
    """12.3: in which order fields are coded, and what each is predicted from."""

    def __init__(self, fields: list[Field], data: Fields) -> None:
        variables = [i for i, field in enumerate(fields) if field.leading]
        if variables[:1] != [0]:
            raise CorruptError("a table has no variable")
        parents = [data.varint() - 1 for _ in variables]
        tree = new_tree(parents, [fields[i].values for i in variables])
        if tree is None:
            raise CorruptError("the variables of a table are no tree")
        self.tree = tree
        self.order: list[int] = []
        self.places = [0] * len(variables)
        for number in tree.order.tolist():
            self.places[number] = len(self.order)
            end = variables[number + 1] if number + 1 < len(variables) else len(fields)
            self.order += range(variables[number], end)
        self.variable = np.full(len(fields), -1)  # of each place, -1 where it is none
        self.variable[self.places] = np.arange(len(variables))
        self.bits = np.array([fields[i].bits for i in self.order])
        self.ranks = [self.rank(data, place) for place in range(len(fields))]

    def rank(self, data: Fields, place: int) -> list[int]:
        count = data.u(1)
        ranks = [data.varint() for _ in range(min(count, MOST_RANKS + 1))]
        length = len(self.order)
        if count > MOST_RANKS or any(
            not 1 <= d <= place and d not in (length, 2 * length) for d in ranks
        ):
            raise CorruptError("the ranks of a table are damaged")
        return ranks

    def distances(self, count: int) -> np.ndarray:
        """By place and context."""
        length = len(self.order)
        out = zeros(length, count, MOST_BEFORE + 1)
        for place, own in enumerate(self.ranks):
            for k, (ranks, above, before) in enumerate(CONTEXTS[:count]):
                found = list(range(1, min(place, MOST_BEFORE) + 1)) if before else []
                found += [j * length for j in above]
                found += [own[i] for i in ranks if i < len(own)]
                out[place, k, : len(found)] = found
        return out


def new_record_mixer(plan: plans.Plan) -> Mixer:
    """12.4: with the external input behind the others."""
    n = len(plan.contexts)
    weights = np.array([*initial_weights(plan), EXTERNAL_WEIGHT])
    start = 1 + 2 * len(plan.lengths)
    weights[start : start + n] = ONE * 21 // (64 * n)
    return mixer_of(plan, weights)


def mixer_of(plan: plans.Plan, weights: np.ndarray) -> Mixer:
    """One with these first weights, the last one an external input's with its selector."""
    plain = new_mixer(plan)
    before, own = len(plain.uses), EXTERNAL_VECTORS
    count = len(plan.selectors) + 1
    return plain._replace(
        selectors=np.append(plain.selectors, -1),
        first_vectors=np.append(plain.first_vectors, before),
        inputs=zeros(len(weights)),
        weights=np.tile(weights, (before + own, 1)),
        uses=zeros(before + own),
        chosen=zeros(count),
        estimates=zeros(count),
        last_weights=np.full((512, count), ONE // count),
    )


class Circuit(NamedTuple):
    """What the circuit says, if it has learnt."""

    tree: Tree
    numbers: Numbers
    belief: Belief


@compiled
def log2(v: int) -> int:
    """11.3."""
    e = 0
    while v >> (e + 1):
        e += 1
    part = v >> (e - 12) if e >= 12 else v << (12 - e)
    return (e << 16) + LOGS[part & 4095]


@compiled
def said(masses: np.ndarray, width: int, value: int, position: int) -> int:
    """12.6: the stretched probability of a one; `value` has the bits so far."""
    half = 1 << position
    start = value << (position + 1)
    a = EVEN + masses[start + half : start + 2 * half].sum()
    b = EVEN + masses[start : start + half].sum()
    return min(max(((log2(a) - log2(b)) * LN_2) >> 21, -32767), 32767)


@compiled
def record_predict(s: State, stretch: int, context: int) -> int:
    """12.4: the probability of a one."""
    mixer = s.mixer
    end = len(mixer.inputs) - 1
    gather_inputs(s, mixer.inputs[:end])
    mixer.inputs[end] = stretch
    last = len(mixer.selectors) - 1
    mixer.chosen[last] = mixer.first_vectors[last] + context
    st = mix_inputs(s.past, s.matches.models, mixer)
    for k in range(len(s.curves.sets)):
        if s.curves.sets[k, 0] == plans.SET_EXTERNAL:
            s.curves.bases[k] = 256 * context
    return final_probability(s.past.values[0].partial, s.curves, st)


@compiled
def skip(s: State, bits: int) -> None:
    """12.4: the upper bits of a byte that a field does not have."""
    v = s.past.values[0]
    if bits >= 4:
        v.partial = 16
        form_second_hashes(s.contexts, v.partial)
        open_slots(s.contexts)
    v.partial = 1 << bits
    v.pos = bits


@compiled
def decode_record(
    s: State,
    circuit: Circuit,
    learnt: bool,
    bits: np.ndarray,
    variable: np.ndarray,
    coder: np.ndarray,
    payload: np.ndarray,
    record: np.ndarray,
    given: np.ndarray,
) -> int:
    """Fills `record`, in the order of coding; `given` gets the probabilities, which are counted."""
    if s.past.values[0].seen == 0:
        start_byte(s)
    own = np.zeros(256, dtype=np.int64)
    count = 0
    for place in range(len(bits)):
        b = bits[place]
        asked = learnt and variable[place] >= 0
        if asked:
            visit(circuit.tree, circuit.numbers, circuit.belief, variable[place])
            masses(circuit.tree, circuit.numbers, circuit.belief, own)
        if b < 8:
            skip(s, 8 - b)
        value = 0
        for position in range(b - 1, -1, -1):
            stretch = said(own, b, value, position) if asked else 0
            context = ((stretch + 32768) >> 11) * 8 + position
            p = record_predict(s, stretch, context)
            given[count] = p
            count += 1
            bit = decode_bit(coder[0], payload, p)
            update(s, bit)
            value = 2 * value + bit
        if asked:
            observe(circuit.tree, circuit.numbers, circuit.belief, value)
        record[place] = value
    return count


class Records:
    """12.4: decodes the records of a segment."""

    def __init__(self, level: int, layout: Layout, count: int, state: State) -> None:
        self.layout, self.state = layout, state
        self.states = states_of(level)
        tree, length = layout.tree, len(layout.order)
        if (len(tree.parents) * self.states + tree.offsets[-1]) * self.states > MOST_NUMBERS:
            raise CorruptError("a table's circuit is too large")
        self.learner = Learner(tree, self.states)
        belief = new_belief(tree, self.states)
        self.circuit = Circuit(tree, new_numbers(tree, self.states, np.int64), belief)
        self.seen = np.zeros((count, length), dtype=np.uint8)
        self.count, self.next = 0, FIRST_LEARNING
        self.given = zeros(8 * length)

    def decode(self, coder: np.ndarray, payload: np.ndarray) -> tuple[list[int], np.ndarray]:
        """A record's fields in the order of the schema, and the probabilities of its bits."""
        layout = self.layout
        if self.count == self.next:
            values = self.seen[: self.count, layout.places].astype(np.int64)
            self.learner.learn(values)
            self.circuit = self.circuit._replace(numbers=self.learner.circuit())
            self.next = self.count * 6 // 5
        record = self.seen[self.count]
        learnt = self.learner.running is not None
        bits, variable = layout.bits, layout.variable
        count = decode_record(
            self.state, self.circuit, learnt, bits, variable, coder, payload, record, self.given
        )
        self.count += 1
        fields = [0] * len(record)
        for place, field in enumerate(layout.order):
            fields[field] = int(record[place])
        return fields, self.given[:count]


class Kinds:
    """12.4: the kinds of rows."""

    def __init__(self) -> None:
        self.counters = [2**16 << 10] * 256
        self.history = 0

    def decode(self, coder: np.ndarray, payload: np.ndarray) -> tuple[int, int]:
        """The next row's kind, and the probability of an exception that was given to the coder."""
        own = self.counters[self.history]
        p = max(own >> 10, 1) << 10
        bit = decode_bit(coder[0], payload, p)
        self.counters[self.history] = updated(own, bit == 1, 255)
        self.history = (2 * self.history + bit) % 256
        return bit, p
