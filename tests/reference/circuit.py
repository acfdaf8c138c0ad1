"""Predictor `circuit`, version 1, written from FORMAT.md, section 13."""

from __future__ import annotations

import zlib

import numpy as np

from .binary_coder import Decoder
from .cm import check_used, new_coder
from .cm_basics import TABLES, updated
from .errors import CorruptError, UnsupportedError
from .fields import Fields
from .pc import Texts, check_lines
from .pc_circuit import Numbers, Tree, masses, new_belief, new_tree, observe, visit
from .pc_rows import EVEN
from .pc_schema import Rows, Schema

MAGIC = bytes.fromhex("F64C5A434952430A")
TABLE, STACK = 1, 2
MOST_LEAD, MOST_STRIDE, MOST_NUMBERS = 65536, 16384, 2**26
UNITS = [int(row) for row in (TABLES / "circuit_levels.csv").read_text().split()]
TEXT_LEVEL, TEXT_LENGTH = 4, 2**20


class Levels:
    """13.1: levels of one kind."""

    def __init__(self, coder: Decoder) -> None:
        self.coder = coder
        self.counters = [2**21 << 10] * (256 * 64)

    def row(self, above: list[int]) -> list[int]:
        """The levels of a row below another one."""
        row: list[int] = []
        for up in above:
            left = row[-1] if row else 0
            context = 64 * (16 * (up >> 2) + (left >> 2))
            node = 1
            while node < 64:
                own = self.counters[context + node]
                bit = self.coder.decode(max(own >> 10, 1) << 10)
                self.counters[context + node] = updated(own, bit, 255)
                node = 2 * node + bit
            row.append(node - 64)
        return row


def read_weights(data: bytes, tree: Tree, m: int) -> Numbers:
    """13.1: as whole numbers."""
    coder = Decoder(data)
    first = Levels(coder).row([0] * m)
    of_steps, of_values = Levels(coder), Levels(coder)
    steps, values = np.zeros((len(tree.parents), m, m), dtype=np.int64), []
    for i, parent in enumerate(tree.parents):
        above = [0] * m
        for y in range(m if parent >= 0 else 0):
            above = of_steps.row(above)
            steps[i, y] = as_steps(above)
        above, rows = [0] * m, []
        for _ in range(tree.offsets[i + 1] - tree.offsets[i]):
            above = of_values.row(above)
            rows.append([UNITS[level] for level in above])
        units = np.array(rows)
        values.append(units * 65535 // units.sum(axis=0))
    coder.finish()
    return Numbers(np.array(as_steps(first)), steps, np.concatenate(values))


def as_steps(levels: list[int]) -> list[int]:
    units = [UNITS[level] for level in levels]
    return [u * (32768 - len(units)) // sum(units) + 1 for u in units]


class Pack:
    """A circuit pack."""

    def __init__(self, data: bytes) -> None:
        fields = Fields(data, whole=True)
        if fields.take(8) != MAGIC:
            raise CorruptError("no circuit pack")
        if fields.u(1) != 1:
            raise UnsupportedError("a later version of circuit packs")
        self.states = m = fields.u(1)
        kind = fields.u(1)
        self.schema: Schema | None = None
        if kind == TABLE:
            self.schema = Schema(fields.take(fields.varint()))
            self.bits = [field.bits for field in self.schema.fields]
            sound = self.schema.has_kinds
        elif kind == STACK:
            self.lead, self.stride = fields.varint(), fields.varint()
            sound = self.lead <= MOST_LEAD and 1 <= self.stride <= MOST_STRIDE
            self.bits = [8] * self.stride
        else:
            raise UnsupportedError("another kind of circuit")
        tree = None
        if sound and self.bits and m in (4, 8, 16, 32):
            values = [1 << bits for bits in self.bits]
            tree = new_tree([fields.varint() - 1 for _ in self.bits], values)
        if tree is None or (len(self.bits) * m + tree.offsets[-1]) * m > MOST_NUMBERS:
            raise CorruptError("a circuit pack is damaged")
        self.tree = tree
        self.numbers = read_weights(data[fields.at :], tree, m)


class Circuit:
    """The predictor of one segment; `model` has the bytes of a pack before anything is decoded."""

    model = b""

    def __init__(self, settings: bytes, raw_len: int) -> None:
        check_lines(settings)
        self.seen = 0
        self.pack: Pack | None = None

    def start(self) -> Pack:
        if self.pack is None:
            self.pack = Pack(self.model)
            self.belief = new_belief(self.pack.tree, self.pack.states)
        return self.pack

    def record(self, coder: Decoder | None, given: list[int]) -> list[int]:
        """The fields of the next record; of zeros without a coder."""
        pack = self.start()
        out = [0] * len(pack.bits)
        own = np.zeros(256, dtype=np.int64)
        for v in pack.tree.order.tolist():
            visit(pack.tree, pack.numbers, self.belief, v)
            masses(pack.tree, pack.numbers, self.belief, own)
            value = 0
            for position in reversed(range(pack.bits[v])):
                half = 1 << position
                start = 2 * half * value
                ones = int(own[start + half : start + 2 * half].sum()) + EVEN
                zeros = int(own[start : start + half].sum()) + EVEN
                p = max(ones * 2**28 // (ones + zeros) * 16, 1)
                given.append(p)
                value = 2 * value + (coder.decode(p) if coder else 0)
            observe(pack.tree, pack.numbers, self.belief, value)
            out[v] = value
        return out

    def decode(self, payload: bytes, raw_len: int) -> bytes:
        pack = self.start()
        fields = Fields(payload, whole=True)
        texts = fields.take(fields.varint())
        count = pack.schema.texts + 1 if pack.schema else 2
        streams = self.streams(texts, count) if texts else [b""] * count
        if pack.schema:
            raw = self.rows(pack.schema, payload[fields.at :], streams, raw_len)
        else:
            records = fields.varint()
            raw = self.stack(pack, payload[fields.at :], streams, records, raw_len)
        self.seen += len(raw)
        return raw

    def streams(self, payload: bytes, count: int) -> list[bytes]:
        texts, coder, left = Texts(TEXT_LEVEL, TEXT_LENGTH), new_coder(payload), 2 * TEXT_LENGTH
        streams = []
        for _ in range(count):
            streams.append(texts.text(coder, payload, left))
            left -= len(streams[-1])
        check_used(coder, payload)
        return streams

    def rows(self, schema: Schema, coded: bytes, streams: list[bytes], raw_len: int) -> bytes:
        rows, coder = Rows(schema), Decoder(coded)
        rows.streams = streams
        counters, history = [2**16 << 10] * 256, 0
        out = b""
        while len(out) < raw_len:
            own = counters[history]
            kind = coder.decode(max(own >> 10, 1) << 10)
            counters[history] = updated(own, kind, 255)
            history = (2 * history + kind) % 256
            made = rows.exception() if kind else rows.row(self.record(coder, []), False)
            if not made:
                raise CorruptError("a row of no bytes")
            out += made
        coder.finish()
        if any(rows.streams):
            raise CorruptError("texts are left over in a chunk of rows")
        return out

    def stack(
        self, pack: Pack, coded: bytes, streams: list[bytes], records: int, raw_len: int
    ) -> bytes:
        coder = Decoder(coded)
        lead = max(pack.lead - self.seen, 0) + -max(self.seen - pack.lead, 0) % pack.stride
        before, after = streams
        length = len(before) + records * pack.stride + len(after)
        if len(before) > lead or len(after) >= pack.stride or length != raw_len:
            raise CorruptError("a chunk of records is damaged")
        out = before + b"".join(bytes(self.record(coder, [])) for _ in range(records)) + after
        coder.finish()
        return out

    def train(self, raw: bytes) -> None:
        self.start()
        self.seen += len(raw)

    def canary(self) -> int:
        if self.pack is None:
            return 0
        given: list[int] = []
        self.record(None, given)
        return zlib.crc32(np.array(given, dtype="<u4").tobytes())
