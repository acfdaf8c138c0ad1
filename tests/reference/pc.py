"""Predictor `pc`, version 1, written from FORMAT.md, section 12.

pc_schema.py makes rows of records, pc_rows.py decodes these, pc_circuit.py has the circuit that
learns from them; texts and what is no table go to cm.
"""

from __future__ import annotations

import zlib

import numpy as np

from .cm import (
    GREY,
    Cm,
    advanced,
    check_used,
    new_coder,
    new_state,
    read_settings,
    table_bits_of,
)
from .cm_plans import plan_of
from .cm_steps import CANARY_BYTES
from .errors import CorruptError, UnsupportedError
from .fields import Fields
from .pc_rows import Kinds, Layout, Records, new_record_mixer
from .pc_rows import plan_of as record_plan
from .pc_schema import Rows, Schema

PLAIN, TABLE = 0, 1
MOST_TEXT_BITS, LEAST_HEAD = 24, 2**16
NOTHING = np.zeros(0, dtype=np.uint32)


class Texts:
    """12.1: texts, one after the other."""

    def __init__(self, level: int, raw_len: int) -> None:
        plan = plan_of(min(level, 6), 0)
        most = min(plan.table_bits, MOST_TEXT_BITS)
        plan = plan._replace(table_bits=most)
        self.state = new_state(plan, 0, table_bits_of(plan, raw_len))

    def take(self, coder: np.ndarray, payload: bytes, length: int) -> bytes:
        self.state = advanced(self.state, coder, payload, length, NOTHING)
        history = self.state.past.history
        return history[len(history) - length :].tobytes()

    def text(self, coder: np.ndarray, payload: bytes, most: int) -> bytes:
        length = b""
        while not length or (length[-1] >= 0x80 and len(length) < 10):
            length += self.take(coder, payload, 1)
        count = Fields(length, whole=True).varint()
        if count > most:
            raise CorruptError("a table's text is too long")
        return self.take(coder, payload, count)


class Table:
    """12.1 to 12.6: a table."""

    def __init__(self, level: int, raw_len: int) -> None:
        self.level, self.raw_len = level, raw_len
        self.texts = Texts(level, raw_len)
        self.schema: Schema | None = None
        self.ready = b""
        self.made = self.next = 0
        self.canary = 0

    def begin(self, head: bytes) -> None:
        fields = Fields(head, whole=True)
        count = fields.varint()
        schema = Schema(fields.take(fields.varint()))
        if schema.printed > max(self.raw_len, LEAST_HEAD):
            raise CorruptError("the dictionaries of a table are too long")
        layout = Layout(schema.fields, fields)
        fields.end()
        size = count * len(layout.order)
        if count > self.raw_len or size > self.raw_len:
            raise CorruptError("a table has too many rows")
        plan = record_plan(self.level)
        state = new_state(plan, len(layout.order), table_bits_of(plan, size))
        contexts = state.contexts._replace(records=layout.distances(len(plan.contexts)))
        past = state.past._replace(history=np.zeros(size, dtype=np.uint8))
        state = state._replace(contexts=contexts, past=past, mixer=new_record_mixer(plan))
        self.records = Records(self.level, layout, count, state)
        self.schema, self.count = schema, count
        self.kinds, self.rows = Kinds(), Rows(schema)
        self.has_texts = schema.texts > 0 or schema.has_kinds
        self.ready = schema.head
        self.made = len(schema.head)

    def decode(self, payload: bytes, raw_len: int) -> bytes:
        fields = Fields(payload, whole=True)
        texts = fields.take(fields.varint())
        coded = payload[fields.at :]
        self.take_texts(texts)
        assert self.schema is not None
        coder, data = new_coder(coded), np.frombuffer(coded, dtype=np.uint8)
        while len(self.ready) < raw_len:
            if self.next > self.count:
                raise CorruptError("a table ends too early")
            made = self.schema.tail if self.next == self.count else self.row(coder, data)
            self.next += 1
            self.ready += made
            self.made += len(made)
            if self.made > self.raw_len:
                raise CorruptError("a table is longer than its segment")
        check_used(coder, coded)
        if any(self.rows.streams):
            raise CorruptError("texts are left over in a coded chunk")
        out, self.ready = self.ready[:raw_len], self.ready[raw_len:]
        return out

    def take_texts(self, payload: bytes) -> None:
        coder, data = new_coder(payload), payload
        any_ = False
        if self.schema is None:
            self.begin(self.texts.text(coder, data, max(self.raw_len // 4, LEAST_HEAD)))
            any_ = True
        if self.has_texts:
            left = 2 * self.raw_len
            for i in range(len(self.rows.streams)):
                self.rows.streams[i] = self.texts.text(coder, data, left)
                left -= len(self.rows.streams[i])
            any_ = True
        if any_:
            check_used(coder, payload)
        elif payload:
            raise CorruptError("a table has no texts")

    def row(self, coder: np.ndarray, data: np.ndarray) -> bytes:
        assert self.schema is not None
        given: list[int] = []
        kind = 0
        if self.schema.has_kinds:
            kind, p = self.kinds.decode(coder, data)
            given.append(p)
        if not kind:
            record, more = self.records.decode(coder, data)
            given += more.tolist()
        if self.made < CANARY_BYTES:
            self.canary = zlib.crc32(np.array(given, dtype="<u4").tobytes(), self.canary)
        if kind:
            return self.rows.exception()
        return self.rows.row(record, self.next + 1 == self.count)


def check_lines(rest: bytes, *, cells: bool = False) -> None:
    """What settings may end with that has no part in decoding: lines, then cells of rows."""
    fields = Fields(rest, whole=True)
    try:
        if rest:
            fields.varint()
        if cells and fields.left():
            if fields.u(1) & ~16 not in (1, 2, 4, 8):
                raise CorruptError("no such elements")
            fields.varint()
        fields.end()
    except CorruptError:
        raise UnsupportedError("settings end with a number of lines or nothing") from None


class Pc:
    """The predictor of one segment."""

    def __init__(self, settings: bytes, raw_len: int) -> None:
        length = 12 if settings[1:2] == bytes([GREY]) else 4
        check_lines(settings[length:], cells=True)
        self.settings, self.raw_len = settings[:length], raw_len
        self.level, *_ = read_settings(self.settings)
        self.seen = 0
        self.table: Table | None = None
        self.plain: Cm | None = None

    def begin_plain(self) -> Cm:
        if self.plain is None:
            self.plain = Cm(self.settings, self.raw_len - self.seen)
        return self.plain

    def decode(self, payload: bytes, raw_len: int) -> bytes:
        form, coded = payload[0], payload[1:]
        if form == PLAIN:
            raw = self.begin_plain().decode(coded, raw_len)
        elif form == TABLE and self.plain is None:
            if self.table is None:
                self.table = Table(self.level, self.raw_len)
            raw = self.table.decode(coded, raw_len)
        else:
            raise CorruptError("a chunk of another form than those before")
        self.seen += len(raw)
        return raw

    def train(self, raw: bytes) -> None:
        self.begin_plain().train(raw)
        self.seen += len(raw)

    def canary(self) -> int:
        if self.table is not None:
            return self.table.canary
        return self.plain.canary() if self.plain is not None else 0
