"""MIX, planes of `tensor` that are coded by context mixing: FORMAT.md, section 9.5.

Plain Python, for a few thousand elements: each bit takes about 50 microseconds.
"""

from .binary_coder import Decoder
from .cm_basics import RECIPROCAL, SQUASH, STRETCH
from .errors import CorruptError

# Lists: their numbers are Python's own, which neither wrap nor are slow one by one.
SQUASHED: list[int] = SQUASH.tolist()
STRETCHED: list[int] = STRETCH.tolist()
RECIPROCALS: list[int] = RECIPROCAL.tolist()

HALF = 2**21 << 10  # a counter: probability one half, count 0
COUNTER_LIMIT = 1023
WEIGHT_LIMIT = 2**31 - 1 - 2**28
FIRST_RATES = (20, 1500, 7)
SECOND_RATES = (10, 500, 7)
EVEN = 2**31  # the coder's probability of a bit without a model
MIDDLE = 2048  # a magnitude where nothing is known
MOST_COLUMNS = 2**20
RATES = [65536 // (n + 1) for n in range(256)]


def clamp(x: int, low: int, high: int) -> int:
    return min(max(x, low), high)


def squash(x: int) -> int:
    return SQUASHED[(x + 32768) >> 4]


class Vectors:
    """A table of weight vectors (8.9), made as they are chosen."""

    def __init__(self, inputs: int, weight: int, rates: tuple[int, int, int]) -> None:
        self.start = [weight] * inputs
        self.rates = rates
        self.weights: dict[int, list[int]] = {}
        self.uses: dict[int, int] = {}

    def estimate(self, chosen: int, inputs: list[int]) -> int:
        weights = self.weights.setdefault(chosen, self.start)
        total = sum((x * (w >> 16)) >> 9 for x, w in zip(inputs, weights, strict=True))
        return clamp(total >> 5, -32767, 32767)

    def train(self, chosen: int, inputs: list[int], estimate: int, bit: bool) -> None:
        floor, extra, shift = self.rates
        uses = self.uses.get(chosen, 0)
        rate = floor + extra // (1 + min(uses >> shift, 255))
        error = (bit << 16) - (squash(estimate) >> 16)
        error = clamp((error * rate) >> 11, -32767, 32767)
        weights = [
            w + ((x * error) >> 3) for x, w in zip(inputs, self.weights[chosen], strict=True)
        ]
        if max(weights) > WEIGHT_LIMIT or min(weights) < -WEIGHT_LIMIT:
            weights = [clamp(w, -WEIGHT_LIMIT, WEIGHT_LIMIT) for w in weights]
        self.weights[chosen] = weights
        self.uses[chosen] = uses + 1


class Decisions:
    """Counters and mixer of one sort of decision. 9.5, "Decisions"."""

    def __init__(self, contexts: int) -> None:
        self.counters: list[dict[object, int]] = [{} for _ in range(contexts)]
        weight = 2**30 // contexts * 5 // 4
        self.first = [Vectors(contexts, weight, FIRST_RATES) for _ in range(3)]
        self.second = [Vectors(3, 2**30 // 3, SECOND_RATES) for _ in range(2)]

    def decode(
        self, coder: Decoder, values: list[object], place: int, selected: tuple[int, int, int]
    ) -> bool:
        """One bit, given what the contexts say and what the three selectors choose."""
        keys = [(value, place) for value in values]
        counters = [t.get(key, HALF) for t, key in zip(self.counters, keys, strict=True)]
        inputs = [STRETCHED[counter >> 20] for counter in counters]
        estimates = [v.estimate(s, inputs) for v, s in zip(self.first, selected, strict=True)]
        last = (place, selected[2])
        outputs = [v.estimate(s, estimates) for v, s in zip(self.second, last, strict=True)]
        bit = coder.decode(max(1, squash(sum(outputs) >> 1)))
        for vectors, s, output in zip(self.second, last, outputs, strict=True):
            vectors.train(s, estimates, output, bit)
        for vectors, s, estimate in zip(self.first, selected, estimates, strict=True):
            vectors.train(s, inputs, estimate, bit)
        for table, key, counter in zip(self.counters, keys, counters, strict=True):
            table[key] = updated(counter, bit)
        return bit


def updated(counter: int, bit: bool) -> int:
    """8.1: a counter after a bit."""
    p, n = counter >> 10, counter & 1023
    target = 2**22 - 1 if bit else 0
    p += ((target - p) >> 4) * RECIPROCALS[n] >> 8
    return p << 10 | (n + 1 if n < COUNTER_LIMIT else n)


def step(x: int, v: int, rate: int) -> int:
    """A mean after `v`."""
    return x + (((((v << 8) - x) >> 4) * rate) >> 12)


class Column:
    """What a field knows of a column; `sum1` and `sum2` are `u1` and `u2` of fine planes."""

    def __init__(self) -> None:
        self.up = self.up2 = MIDDLE
        self.mean = MIDDLE << 8
        self.rows = 0
        self.sum1 = self.sum2 = 0


class Field:
    """Means and neighbours of magnitudes. 9.5, "Field"."""

    def __init__(self, row: int) -> None:
        self.width = row if 1 <= row <= MOST_COLUMNS else 1
        self.columns: dict[int, Column] = {}
        self.at = 0
        self.row = self.recent = self.all = MIDDLE << 8
        self.offset = self.recent_offset = 0
        self.left = self.left2 = self.up_left = MIDDLE
        self.seen = 0

    def column(self, number: int) -> Column:
        return self.columns.setdefault(number, Column())

    def here(self) -> Column:
        return self.column(self.at)

    def right(self) -> Column:
        return self.column(min(self.at + 1, self.width - 1))

    def means(self) -> tuple[int, int, int, int, int]:
        """`column`, `expected`, `expected_recent`, `row`, `recent`."""
        column = self.here().mean >> 8
        expected = column + (self.offset >> 8)
        expected_recent = column + (self.recent_offset >> 8)
        found = (column, expected, expected_recent, self.row >> 8, self.recent >> 8)
        return tuple(clamp(mean, 0, 4095) for mean in found)

    def col(self) -> int:
        return self.at if self.width <= 4096 else self.at % 4096

    def advance(self, v: int) -> None:
        """After a symbol of magnitude `v`."""
        here = self.here()
        d = v - (here.mean >> 8)
        if here.rows == 0:
            here.mean = self.all
        here.mean = step(here.mean, v, RATES[min(here.rows, 253) + 1])
        here.rows = min(here.rows + 1, 65535)
        rate = RATES[min(self.seen + 6, 255)]
        self.row = step(self.row, v, rate)
        self.offset = step(self.offset, d, rate)
        self.recent = step(self.recent, v, RATES[15])
        self.recent_offset = step(self.recent_offset, d, RATES[15])
        self.all = step(self.all, v, RATES[255])
        self.up_left = here.up
        here.up2, here.up = here.up, v
        self.left2, self.left = self.left, v
        self.seen += 1
        self.at += 1
        if self.at == self.width:
            self.at = 0
            self.seen = 0
            self.row = self.all
            self.offset = 0


def magnitudes(top: int, mask: int, octave: int) -> list[int]:
    """`M` of each symbol."""
    return [clamp(3712 - (((top - (s & mask)) << 8) >> octave), 0, 4095) for s in range(256)]


class Node:
    """Symbols `low` to `high - 1` and, if they are several, the symbol that divides them."""

    def __init__(self, sums: list[int], low: int, high: int) -> None:
        self.low = low
        self.place = 0
        self.children: list[Node] = []
        self.weight = sums[high] - sums[low]
        if high - low > 1:
            cuts = range(low + 1, high)
            cut = min(cuts, key=lambda t: abs(2 * (sums[t] - sums[low]) - self.weight))
            self.children = [Node(sums, low, cut), Node(sums, cut, high)]

    def inner(self) -> list["Node"]:
        """The nodes that ask something, in the order of their numbers."""
        if not self.children:
            return []
        return [self, *self.children[0].inner(), *self.children[1].inner()]


def tree(powers: list[int]) -> Node:
    """The tree of a scale plane, its nodes placed."""
    sums = [0]
    for power in powers:
        sums.append(sums[-1] + 2**power)
    root = Node(sums, 0, 256)
    places = 64 if sum(power > 0 for power in powers) <= 64 else 256
    ranked = sorted(root.inner(), key=lambda node: -node.weight)
    for rank, node in enumerate(ranked):
        node.place = min(rank, places - 1)
    return root


class Scale:
    """The model of a plane of exponents."""

    def __init__(self, powers: list[int], mask: int, octave: int, row: int) -> None:
        used = [s & mask for s in range(256) if powers[s] >= 5]
        self.magnitudes = magnitudes(max(used, default=mask), mask, octave)
        self.root = tree(powers)
        self.field = Field(row)
        self.decisions = Decisions(16)

    def decode(self, coded: bytes, n: int, column: int, _: bytes) -> bytes:
        coder = Decoder(coded)
        self.field.at = column % self.field.width
        plane = bytes(self.symbol(coder) for _ in range(n))
        coder.finish()
        return plane

    def symbol(self, coder: Decoder) -> int:
        field = self.field
        column, expected, expected_recent, row, recent = field.means()
        left, left2, up_left = field.left, field.left2, field.up_left
        up, up2, up_right = field.here().up, field.here().up2, field.right().up
        near = (2 * left + left2 + 2 * up + up_left + up_right + up2) >> 3
        values: list[object] = [
            0,
            (left >> 8, left2 >> 8),
            (up >> 8, up2 >> 8),
            (left >> 8, up >> 8),
            row >> 5,
            column >> 4,
            (row >> 6, column >> 6),
            expected >> 4,
            field.col(),
            near >> 4,
            (expected >> 6, left >> 8),
            (expected >> 6, up >> 8),
            (expected + near) >> 5,
            expected_recent >> 4,
            (recent >> 5, up >> 8),
            (expected_recent >> 6, near >> 6),
        ]
        node = self.root
        while node.children:
            p = min(node.place, 15)
            selected = (node.place, (expected >> 7) * 16 + p, (near >> 8) * 16 + p)
            node = node.children[self.decisions.decode(coder, values, node.place, selected)]
        field.advance(self.magnitudes[node.low])
        return node.low


class Fine:
    """The model of a plane of signs and upper mantissa bits."""

    def __init__(self, top: int, mixed: int, row: int) -> None:
        if not 1 <= mixed <= 7:
            raise CorruptError("a fine plane mixes 1 to 7 bits")
        self.mixed = mixed
        self.magnitudes = magnitudes(top, 255, 0)
        self.field = Field(row)
        self.sign = Decisions(16)
        self.mantissa = Decisions(13)
        self.last = [0, 0, 0, 0]  # l1 to l4
        self.above_last = 0  # ul
        self.signs = 0

    def decode(self, coded: bytes, n: int, column: int, exponents: bytes) -> bytes:
        coder = Decoder(coded)
        self.field.at = column % self.field.width
        plane = bytes(self.symbol(coder, exponent) for exponent in exponents)
        coder.finish()
        return plane

    def symbol(self, coder: Decoder, exponent: int) -> int:
        field = self.field
        m = self.magnitudes[exponent]
        o = m >> 8
        sign = self.read_sign(coder, o)
        mantissa = self.read_mantissa(coder, exponent, m)
        value = (128 + mantissa) << o
        here = field.here()
        self.last = [-value if sign else value, *self.last[:3]]
        self.above_last = here.sum1
        here.sum2, here.sum1 = here.sum1, self.last[0]
        self.signs = (self.signs << 1 | sign) & 255
        field.advance(m)
        return sign << 7 | mantissa

    def read_sign(self, coder: Decoder, o: int) -> int:
        l1, l2, l3, l4 = self.last
        here, ul = self.field.here(), self.above_last
        u1, u2, ur = here.sum1, here.sum2, self.field.right().sum1
        mostly = (l1, l2, l3, l4, u1, ul, ur, u2, 2 * l1 - l2, l1 + u1 - ul)
        values: list[object] = [
            o,
            *((o, relative(v, o)) for v in mostly),
            tuple(v < 0 for v in (l1, u1, ul, ur, l2, u2)),
            (relative(l1, o), relative(u1, o), l2 < 0, u2 < 0),
            self.field.col(),
            self.signs,
            (o, relative((l1 + u1) >> 1, o)),
        ]
        selected = (0, o, relative(l1, o) * 16 + relative(u1, o))
        return int(self.sign.decode(coder, values, 0, selected))

    def read_mantissa(self, coder: Decoder, exponent: int, m: int) -> int:
        field = self.field
        column, expected, expected_recent, row, recent = field.means()
        o = m >> 8

        def r(x: int) -> int:
            return clamp(m - x + 2048, 0, 4095)

        l1, u1 = self.last[0], field.here().sum1
        values: list[object] = [
            o,
            r(expected) >> 5,
            (o, expected >> 5),
            r(row) >> 5,
            r(column) >> 5,
            (r(row) >> 6, r(column) >> 6),
            (o, field.left >> 8),
            (o, field.here().up >> 8),
            field.col(),
            r(expected_recent) >> 5,
            (o, recent >> 5),
            exponent,
            (o, relative(l1, o), relative(u1, o) >> 1),
        ]
        place = 1
        for number in range(7):
            if number < self.mixed:
                p = min(place, 7)
                selected = (place, o * 8 + p, (r(expected) >> 5) * 8 + p)
                bit = self.mantissa.decode(coder, values, place, selected)
            else:
                bit = coder.decode(EVEN)
            place = place << 1 | bit
        return place & 127


def relative(v: int, o: int) -> int:
    """`rel(v)`: how large a sum is beside an exponent, and its sign."""
    size = (abs(v) | 1).bit_length() - 1
    return clamp(size - 7 - o + 5, 0, 7) * 2 + (v < 0)
