"""Makes the tables that the context mixer and its reference reader load.

Exact integer and decimal arithmetic only, so that any machine writes the same files.
Run it in this folder; a test compares its output with what is committed.
"""

from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from pathlib import Path

HERE = Path(__file__).parent
# The larger count that a bit history keeps, by its smaller count.
BOUNDS = (50, 24, 18, 12, 6, 5)
# Bits that a short history keeps exactly.
EXACT = 4


def nearest(value: Decimal) -> int:
    return int(value.to_integral_value(rounding=ROUND_HALF_EVEN))


def squash_table() -> list[int]:
    """Entry i: the probability, in units of 2^-32, of a stretch of (i - 2047.5) / 128 nats."""
    rows = []
    with localcontext() as context:
        context.prec = 40
        for i in range(4096):
            nats = (Decimal(i) - Decimal("2047.5")) * 16 / 2048
            rows.append(nearest(Decimal(2**32) / (1 + (-nats).exp())))
    return rows


def stretch_table() -> list[int]:
    """Entry i: ln(p / (1 - p)) in units of 2^-11 nats for p = (i + 0.5) / 4096."""
    with localcontext() as context:
        context.prec = 40
        rows = []
        for i in range(4096):
            p = (Decimal(i) + Decimal("0.5")) / 4096
            rows.append(nearest((p / (1 - p)).ln() * 2048))
    return rows


def allowed(n0: int, n1: int) -> bool:
    low, high = sorted((n0, n1))
    return low < len(BOUNDS) and high <= BOUNDS[low]


def canonical(n0: int, n1: int, recent: str) -> tuple[int, int, str]:
    """A history's key: exact while short, then its counts and, if both bits came, the last."""
    if len(recent) == n0 + n1 and n0 + n1 <= EXACT:
        return n0, n1, recent
    return n0, n1, recent[-1] if n0 and n1 else ""


def discount(n: int) -> int:
    """What is left of a count when the other bit appears: recent bits tell more than old ones."""
    return n if n <= 2 else 2 if n <= 3 else 3 if n <= 7 else 4 if n <= 15 else 5 if n <= 30 else 6


def advance(key: tuple[int, int, str], bit: int) -> tuple[int, int, str]:
    counts = [key[0], key[1]]
    exact = key[2] if len(key[2]) == sum(counts) else None
    if exact is not None and len(exact) < EXACT:
        counts[bit] += 1
        return canonical(counts[0], counts[1], exact + str(bit))
    counts[1 - bit] = discount(counts[1 - bit])
    if allowed(*(counts[i] + (i == bit) for i in (0, 1))):
        counts[bit] += 1
    else:
        while not allowed(*counts):
            counts[1 - bit] -= 1
    if sum(counts) <= EXACT:
        # The order is forgotten here; this bit is taken to have come last.
        other = str(1 - bit) * counts[1 - bit]
        return canonical(counts[0], counts[1], other + str(bit) * counts[bit])
    return canonical(counts[0], counts[1], str(bit))


def history_table() -> list[tuple[int, int, int, int]]:
    """Row s: next state on a zero, next state on a one, count of zeros, count of ones."""
    keys = [(0, 0, "")]
    numbers = {keys[0]: 0}
    rows = []
    for key in keys:
        following = []
        for bit in (0, 1):
            after = advance(key, bit)
            if after not in numbers:
                numbers[after] = len(keys)
                keys.append(after)
            following.append(numbers[after])
        rows.append((*following, key[0], key[1]))
    if len(rows) > 256:
        raise SystemExit(f"{len(rows)} states do not fit a byte")
    return rows


def circuit_levels() -> list[int]:
    """Entry q: 2^(-18 (q / 63)^2) in units of 2^-24."""
    with localcontext() as context:
        context.prec = 40
        log = Decimal(2).ln()
        return [nearest((log * (24 - Decimal(18 * q * q) / 3969)).exp()) for q in range(64)]


def files() -> dict[str, str]:
    """Every file with its text."""
    tables = {
        "squash.csv": [(value,) for value in squash_table()],
        "stretch.csv": [(value,) for value in stretch_table()],
        "bit_history.csv": history_table(),
        "circuit_levels.csv": [(value,) for value in circuit_levels()],
    }
    return {
        name: "".join(",".join(str(value) for value in row) + "\n" for row in rows)
        for name, rows in tables.items()
    }


def main() -> None:
    for name, text in files().items():
        (HERE / name).write_text(text)


if __name__ == "__main__":
    main()
