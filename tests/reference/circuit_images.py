"""Predictor `circuit`, version 1: images, joined with cm's contexts. FORMAT.md, section 13.3."""

from __future__ import annotations

import zlib
from typing import NamedTuple

import numpy as np

from .circuit import MOST_STRIDE, Circuit, Pack
from .cm import GREY, Advancing, new_state, read_settings, table_bits_of
from .cm_basics import compiled, zeros
from .cm_mixer import initial_weights
from .cm_plans import plan_of
from .cm_steps import CANARY_BYTES, State, decode_bit, start_byte, update
from .errors import CorruptError, UnsupportedError
from .fields import Fields
from .pc_circuit import Numbers, Tree, scaled
from .pc_rows import mixer_of, record_predict, said

LEAST_LEVEL, WEIGHT, MOST_MESSAGES = 6, 214748364, 64
NOBODY = -2  # is no variable, nor the root's parent


class Messages(NamedTuple):
    """What the values of a record so far say, by variable and state."""

    prior: np.ndarray
    down: np.ndarray
    own: np.ndarray
    at: np.ndarray  # the one variable of which a value is to come
    heaps: np.ndarray  # of all variables, one after the other
    there: np.ndarray
    starts: np.ndarray  # of each variable's heap
    entries: np.ndarray  # of each variable in that of its parent


class Paths(NamedTuple):
    """The variables on the way from each one to the next, and where each way ends among them."""

    nodes: np.ndarray
    ends: np.ndarray


def new_paths(tree: Tree) -> Paths:
    parents = tree.parents.tolist()
    nodes: list[int] = []
    ends: list[int] = []
    for v in range(len(parents) - 1):
        up, down = to_root(parents, v), to_root(parents, v + 1)
        while len(up) > 1 and len(down) > 1 and up[-2] == down[-2]:
            del up[-1], down[-1]
        path = up + down[-2::-1]
        nodes += path
        ends.append(len(nodes))
    if len(nodes) - len(ends) > MOST_MESSAGES * len(parents):
        raise UnsupportedError("a circuit whose tree is long to walk")
    return Paths(np.array(nodes, dtype=np.int64), np.array(ends, dtype=np.int64))


def to_root(parents: list[int], v: int) -> list[int]:
    path = [v]
    while parents[path[-1]] >= 0:
        path.append(parents[path[-1]])
    return path


def new_messages(pack: Pack) -> Messages:
    tree, c = pack.tree, pack.numbers
    count, m = len(tree.parents), pack.states
    prior = zeros(count, m)
    for v in tree.order.tolist():
        p = tree.parents[v]
        prior[v] = scaled(prior[p] @ c.steps[v] if p >= 0 else c.first.copy())
    starts, entries, end = [], [0] * count, 0
    for v in range(count):
        starts.append(end)
        children = tree.children[tree.ends[v - 1] if v else 0 : tree.ends[v]].tolist()
        leaves = 1
        while leaves < len(children):
            leaves *= 2
        for i, child in enumerate(children):
            entries[child] = leaves + i
        end += 2 * leaves
    return Messages(
        prior=prior,
        down=prior.copy(),
        own=zeros(count, m),
        at=zeros(1),
        heaps=zeros(end, m),
        there=zeros(end),
        starts=np.array(starts),
        entries=np.array(entries),
    )


@compiled
def times(product: np.ndarray, message: np.ndarray, count: int) -> int:
    """Takes a message into a product of `count` others."""
    if count == 0:
        product[:] = message
    else:
        for z in range(len(product)):
            product[z] *= message[z]
        scaled(product)
    return count + 1


@compiled
def around(tree: Tree, s: Messages, a: int, b: int) -> np.ndarray:
    product = np.zeros(s.prior.shape[1], dtype=np.int64)
    count = 0
    if a < s.at[0]:
        count = times(product, s.own[a], count)
    if tree.parents[a] != b:
        count = times(product, s.down[a], count)
    start = s.starts[a]
    if b >= 0 and tree.parents[b] == a:
        j = s.entries[b]
        while j > 1:
            if s.there[start + (j ^ 1)]:
                count = times(product, s.heaps[start + (j ^ 1)], count)
            j >>= 1
    elif s.there[start + 1]:
        times(product, s.heaps[start + 1], count)
    return product


@compiled
def tell(s: Messages, a: int, b: int, message: np.ndarray) -> None:
    """From a to its parent b."""
    start, j = s.starts[b], s.entries[a]
    s.heaps[start + j] = message
    s.there[start + j] = 1
    while j > 1:
        j >>= 1
        count = 0
        product = np.zeros(len(message), dtype=np.int64)
        for i in (start + 2 * j, start + 2 * j + 1):
            if s.there[i]:
                count = times(product, s.heaps[i], count)
        s.heaps[start + j] = product
        s.there[start + j] = 1


@compiled
def ask(tree: Tree, c: Numbers, s: Messages, out: np.ndarray) -> None:
    """The masses of the values of the next pixel."""
    v = s.at[0]
    now = around(tree, s, v, NOBODY)
    for x in range(256):
        out[x] = 0
        for z in range(len(now)):
            out[x] += (now[z] >> 1) * c.values[tree.offsets[v] + x, z]


@compiled
def take(tree: Tree, c: Numbers, paths: Paths, s: Messages, x: int) -> None:
    """The value of a pixel; goes on to the next one."""
    v = s.at[0]
    m = len(c.first)
    if v == len(tree.parents) - 1:
        s.at[0] = 0
        s.there[:] = 0
        s.down[:] = s.prior
        return
    s.at[0] = v + 1
    for z in range(m):
        s.own[v, z] = max(c.values[tree.offsets[v] + x, z], 1)
    scaled(s.own[v])
    start = paths.ends[v - 1] if v > 0 else 0
    for i in range(start + 1, paths.ends[v]):
        a, b = paths.nodes[i - 1], paths.nodes[i]
        product = around(tree, s, a, b)
        message = np.zeros(m, dtype=np.int64)
        for y in range(m):
            for z in range(m):
                if tree.parents[a] == b:
                    message[y] += c.steps[a, y, z] * product[z]
                else:
                    message[z] += product[y] * c.steps[b, y, z]
        scaled(message)
        if tree.parents[a] == b:
            tell(s, a, b, message)
        else:
            s.down[b] = message


@compiled
def advance_images(
    s: State,
    tree: Tree,
    c: Numbers,
    paths: Paths,
    messages: Messages,
    offset: int,
    coder: np.ndarray,
    data: np.ndarray,
    out: np.ndarray,
    first: np.ndarray,
) -> None:
    """As cm's `advance`, with a circuit; what comes goes to `out`, too."""
    v = s.past.values[0]
    if v.seen == 0:
        start_byte(s)
    own = np.zeros(256, dtype=np.int64)
    for at in range(len(out)):
        asked = v.seen >= offset
        if asked:
            ask(tree, c, messages, own)
        value = 0
        for position in range(7, -1, -1):
            stretch = said(own, 8, value, position) if asked else 0
            p = record_predict(s, stretch, ((stretch + 32768) >> 11) * 8 + position)
            if 8 * at + 7 - position < len(first):
                first[8 * at + 7 - position] = p
            if len(coder) > 0:
                bit = decode_bit(coder[0], data, p)
            else:
                bit = (np.int64(data[at]) >> position) & 1
            update(s, bit)
            value = 2 * value + bit
        if asked:
            take(tree, c, paths, messages, value)
        out[at] = value


class Images(Advancing, Circuit):
    """The predictor of one segment."""

    def __init__(self, settings: bytes, raw_len: int) -> None:
        super().__init__(b"", raw_len)
        level, class_, self.width, self.plane, self.offset = read_settings(settings)
        if class_ != GREY or level < LEAST_LEVEL or not 1 <= self.plane <= MOST_STRIDE:
            raise UnsupportedError("a circuit joins in images of one size, from level 6 on")
        self.plan = plan_of(level, class_)
        state = new_state(
            self.plan, self.width, table_bits_of(self.plan, raw_len), self.plane, self.offset
        )
        weights = np.array([*initial_weights(self.plan), WEIGHT])
        self.state = state._replace(mixer=mixer_of(self.plan, weights))
        self.given: list[int] = []
        self.messages: Messages | None = None

    def _advance(self, coder: np.ndarray, data: bytes, length: int) -> bytes:
        pack = self.start()
        if self.messages is None:
            if pack.schema or pack.stride != self.plane:
                raise CorruptError("the circuit is not of images of this size")
            self.paths, self.messages = new_paths(pack.tree), new_messages(pack)
            self.record(None, self.given)
        past = self.state.past
        room = np.concatenate([past.history, np.zeros(length, dtype=np.uint8)])
        state = self.state._replace(past=past._replace(history=room))
        first = zeros(8 * min(max(CANARY_BYTES - self.seen, 0), length))
        out = np.zeros(length, dtype=np.uint8)
        advance_images(
            state,
            pack.tree,
            pack.numbers,
            self.paths,
            self.messages,
            self.offset,
            coder,
            np.frombuffer(data, dtype=np.uint8),
            out,
            first,
        )
        self.state = state
        self.given += first.tolist()
        self.seen += length
        return out.tobytes()

    def canary(self) -> int:
        return zlib.crc32(np.array(self.given, dtype="<u4").tobytes()) if self.given else 0


def new_circuit(settings: bytes, raw_len: int) -> Circuit:
    """13.2 and 13.3: which of both a segment is coded by."""
    fields = Fields(settings, whole=True)
    try:
        lines = fields.varint() if settings else 0
    except CorruptError:
        raise UnsupportedError("settings begin with a number of lines") from None
    if lines >= 0 and fields.left():
        return Images(settings[fields.at :], raw_len)
    return Circuit(settings, raw_len)
