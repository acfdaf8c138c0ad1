"""rANS: FORMAT.md, section 7a."""

from collections.abc import Mapping, Sequence
from typing import Self

from .errors import CorruptError

LOW = 2**16


class Bits:
    """Bits of a byte string, the least significant of each byte first."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.used = 0

    def take(self, count: int) -> int:
        value = 0
        for i in range(count):
            byte, bit = divmod(self.used, 8)
            if byte >= len(self.data):
                raise CorruptError("a table ends too early")
            value |= (self.data[byte] >> bit & 1) << i
            self.used += 1
        return value

    def unary(self, most: int) -> int:
        zeros = 0
        while not self.take(1):
            zeros += 1
            check(zeros <= most)
        return zeros

    def gamma(self) -> int:
        e = self.unary(8)
        return 2**e + self.take(e)

    def finish(self) -> bytes:
        """What follows the last byte that was begun."""
        check(self.take(-self.used % 8) == 0)
        return self.data[self.used // 8 :]


def check(holds: bool) -> None:
    if not holds:
        raise CorruptError("a table or a stream of rANS is damaged")


def bits_of(n: int) -> int:
    return 14 if n <= 64 else 12


class Table:
    """Frequencies by byte, ascending, and whose slot each one is."""

    def __init__(self, frequencies: Mapping[int, int]) -> None:
        self.frequencies = dict(sorted(frequencies.items()))
        self.bits = bits_of(len(frequencies))
        assert sum(frequencies.values()) == 2**self.bits
        if self.bits == 12:
            self.slots = [(s, place) for s, f in self.frequencies.items() for place in range(f)]
        else:
            self.slots = alias_slots(self.frequencies)
        self.slot_of = {owner: slot for slot, owner in enumerate(self.slots)}

    @classmethod
    def read(cls, data: bytes) -> tuple[Self, bytes]:
        """A table and the bytes behind it."""
        bits = Bits(data)
        occurring = read_occurring(bits)
        n = len(occurring)
        whole = 2 ** bits_of(n)
        if n == 1:
            return cls({occurring[0]: whole}), bits.finish()
        precision, rice = bits.take(4), bits.take(2)
        rank = bits.take((n - 1).bit_length())
        check(rank < n)
        frequencies = {}
        e = 0
        for s in occurring[:rank] + occurring[rank + 1 :]:
            z = bits.unary(31) * 2**rice
            z += bits.take(rice)
            e += -(z + 1) // 2 if z % 2 else z // 2
            check(0 <= e < bits_of(n))
            kept = min(e, precision)
            frequencies[s] = 2**e + bits.take(kept) * 2 ** (e - kept)
        frequencies[occurring[rank]] = whole - sum(frequencies.values())
        check(frequencies[occurring[rank]] > 0)
        return cls(frequencies), bits.finish()

    def write(self, precision: int, mode: int) -> bytes:
        """The shortest form, where `precision` is enough for all frequencies but that of `mode`."""
        occurring = list(self.frequencies)
        n = len(occurring)
        field = min(ranges_field(occurring), bitmap_field(occurring), key=len)
        if n > 1:
            field += binary(precision, 4)
            zs, lows = [], []
            before = 0
            for s, f in self.frequencies.items():
                if s == mode:
                    continue
                e = f.bit_length() - 1
                zs.append(2 * (e - before) if e >= before else 2 * (before - e) - 1)
                kept = min(e, precision)
                assert f % 2 ** (e - kept) == 0
                lows.append(binary((f - 2**e) >> (e - kept), kept))
                before = e
            rice = min(range(4), key=lambda rice: sum((z >> rice) + rice for z in zs))
            field += binary(rice, 2) + binary(occurring.index(mode), (n - 1).bit_length())
            for z, low in zip(zs, lows, strict=True):
                field += "0" * (z >> rice) + "1" + binary(z % 2**rice, rice) + low
        field += "0" * (-len(field) % 8)
        return bytes(int(field[i : i + 8][::-1], 2) for i in range(0, len(field), 8))


def binary(value: int, count: int) -> str:
    """`count` bits, the least significant first."""
    return "".join(str(value >> i & 1) for i in range(count))


def gamma(value: int) -> str:
    e = value.bit_length() - 1
    return "0" * e + "1" + binary(value - 2**e, e)


def ranges_field(occurring: Sequence[int]) -> str:
    starts = [s for s in occurring if s - 1 not in occurring]
    ends = [s + 1 for s in occurring if s + 1 not in occurring]
    fields = [
        gamma(start - before) + gamma(end - start)
        for before, start, end in zip([-1, *ends[:-1]], starts, ends, strict=True)
    ]
    return "0" + gamma(len(fields)) + "".join(fields)


def bitmap_field(occurring: Sequence[int]) -> str:
    first, last = occurring[0], occurring[-1]
    between = "".join(str(int(s in occurring)) for s in range(first + 1, last))
    return "1" + binary(first, 8) + binary(last, 8) + between


def read_occurring(bits: Bits) -> list[int]:
    if bits.take(1) == 0:
        occurring: list[int] = []
        end = -1
        for _ in range(bits.gamma()):
            start = end + bits.gamma()
            end = start + bits.gamma()
            check(end <= 256)
            occurring += range(start, end)
        return occurring
    first, last = bits.take(8), bits.take(8)
    check(first <= last)
    return [s for s in range(first, last + 1) if s in (first, last) or bits.take(1)]


def alias_slots(frequencies: Mapping[int, int]) -> list[tuple[int, int]]:
    """Byte and place of each slot of a small table."""
    byte = list(frequencies) + [0] * (64 - len(frequencies))
    rest = list(frequencies.values()) + [0] * (64 - len(frequencies))
    divider, other = [256] * 64, list(range(64))
    donors = [i for i in range(64) if rest[i] > 256]
    for poor in [i for i in range(64) if rest[i] < 256]:
        i = poor
        while True:
            d = donors[0]
            divider[i], other[i] = rest[i], d
            rest[d] -= 256 - rest[i]
            if rest[d] <= 256:
                donors.pop(0)
            if rest[d] >= 256:
                break
            i = d
    slots = []
    used = divider.copy()
    for i in range(64):
        slots += [(byte[i], place) for place in range(divider[i])]
        for _ in range(256 - divider[i]):
            slots.append((byte[other[i]], used[other[i]]))
            used[other[i]] += 1
    return slots


def lanes_for(runs: Sequence[tuple[bytes, Table]]) -> int:
    lengths = [len(run) for run, table in runs if len(table.frequencies) > 1]
    return min(64, max(lengths, default=0), max(1, sum(lengths) // 512))


def encode(runs: Sequence[tuple[bytes, Table]], lanes: int) -> bytes:
    states = [LOW] * lanes
    words: list[int] = []  # the last one first
    for run, table in reversed(runs):
        if len(table.frequencies) == 1 or not run:
            continue
        for start in reversed(range(0, len(run), lanes)):
            step = list(enumerate(run[start : start + lanes]))
            for lane, s in reversed(step):
                f = table.frequencies[s]
                if states[lane] >= f * 2 ** (32 - table.bits):
                    words.append(states[lane] % 2**16)
                    states[lane] //= 2**16
                quotient, place = divmod(states[lane], f)
                states[lane] = quotient * 2**table.bits + table.slot_of[s, place]
    fixed = bytes([lanes]) + b"".join(state.to_bytes(4, "little") for state in states)
    return fixed + b"".join(word.to_bytes(2, "little") for word in reversed(words))


def decode(stream: bytes, runs: Sequence[tuple[int, Table]]) -> list[bytes]:
    """The runs, of which lengths and tables are given."""
    if not stream or len(stream) < 1 + 4 * stream[0]:
        raise CorruptError("a stream of rANS ends too early")
    lanes, at = stream[0], 1 + 4 * stream[0]
    states = [int.from_bytes(stream[i : i + 4], "little") for i in range(1, at, 4)]
    check(lanes <= 64 and all(state >= LOW for state in states) and (len(stream) - at) % 2 == 0)
    out = []
    for length, table in runs:
        if len(table.frequencies) == 1:
            out.append(bytes(table.frequencies) * length)
            continue
        run = bytearray()
        while len(run) < length:
            check(lanes > 0)
            step = range(min(lanes, length - len(run)))
            for lane in step:
                quotient, slot = divmod(states[lane], 2**table.bits)
                s, place = table.slots[slot]
                run.append(s)
                states[lane] = table.frequencies[s] * quotient + place
            for lane in step:
                if states[lane] < LOW:
                    if at == len(stream):
                        raise CorruptError("a stream of rANS ends too early")
                    word = int.from_bytes(stream[at : at + 2], "little")
                    states[lane] = states[lane] * LOW + word
                    at += 2
        out.append(bytes(run))
    check(at == len(stream) and all(state == LOW for state in states))
    return out
