"""What was measured: costs, results, and a run of them with its sums."""

from __future__ import annotations

from llmzip.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from typing import Any


# Why a compressor has no numbers that is no failure of it.
NOT_INSTALLED = "not installed"
NO_MODEL = "its model is not here"
ABSENT = (NOT_INSTALLED, NO_MODEL)


class Cost(Record):
    """What a program took.

    `cpu` is user and system time of the process and of every child that it waited for, in seconds;
    `wall` is elapsed seconds; `peak` is the largest resident size of any one of these processes, in
    KiB.
    """

    cpu: float
    wall: float
    peak: int


class Result(Record):
    """One compressor on one file; sizes in bytes.

    file: a name that no other file of the run has. sha256: of its content.
    compressor: its name with its options; spec: how `--with` asks for it; version: what the program
        says of itself, "" where it says nothing; command: how it was called.
    archive_bytes: of an archive that another process decoded to the content.
    status: "ok"; otherwise why there are no numbers.
    model, model_bytes: the model that decoding this very archive needs and that it does not bring.
    along: (offset in the content, bits per byte from there to the next offset or the end); empty
        where the compressor does not tell.
    check: whether this is one of the two inputs that nothing can shrink, kept out of every sum.
    kept: whether it was measured by an earlier run. date: when, as in 2026-01-31.
    """

    file: str
    sha256: str
    raw_bytes: int
    compressor: str
    spec: str
    version: str = ""
    command: str = ""
    archive_bytes: int = 0
    compress: Cost = Cost(0.0, 0.0, 0)
    decompress: Cost = Cost(0.0, 0.0, 0)
    status: str = "ok"
    model: str = ""
    model_bytes: int = 0
    along: tuple[tuple[int, float], ...] = ()
    check: bool = False
    kept: bool = False
    date: str = ""

    @property
    def ok(self) -> bool:
        """Whether there are numbers."""
        return self.status == "ok"

    @property
    def bits_per_byte(self) -> float:
        """Bits of archive for each byte of content."""
        return 8 * self.archive_bytes / self.raw_bytes

    @property
    def adjusted_bytes(self) -> int:
        """Bytes of archive and model."""
        return self.archive_bytes + self.model_bytes

    @staticmethod
    def from_dict(facts: Mapping[str, Any]) -> Result:
        """What `as_dict` gave. Raises TypeError, KeyError or ValueError for anything else."""
        named = {name: facts[name] for name in Result._fields if name in facts}
        for way in ("compress", "decompress"):
            named[way] = Cost(*(facts[way][name] for name in Cost._fields))
        named["along"] = tuple((int(at), float(bits)) for at, bits in facts["along"])
        return Result(**named)


class Total(Record):
    """One compressor on all files of a run; one file without numbers leaves it without.

    bits_per_byte is that of all files as one, mean_bits_per_byte the plain mean over the files.
    Times are sums, peaks the largest. A model counts once. `break_even` as in `Run.break_even`, at
    the rates of the sums. `kept`: how many of `files` results come from earlier runs.
    """

    compressor: str
    spec: str
    version: str
    files: int
    raw_bytes: int
    status: str = "ok"
    archive_bytes: int = 0
    bits_per_byte: float = 0.0
    mean_bits_per_byte: float = 0.0
    compress: Cost = Cost(0.0, 0.0, 0)
    decompress: Cost = Cost(0.0, 0.0, 0)
    model: str = ""
    model_bytes: int = 0
    break_even: int | None = None
    kept: int = 0

    @property
    def ok(self) -> bool:
        """Whether there are numbers."""
        return self.status == "ok"

    @property
    def adjusted_bytes(self) -> int:
        """Bytes of all archives and the model."""
        return self.archive_bytes + self.model_bytes


class Run(Record):
    """All results of one call of `measure`, in the order of files and compressors.

    machine: processor and cores. version: llmzip's. measuring: version of how it is measured.
    threads: that every compressor was given. peak_floor: KiB under which peaks cannot be told
    apart. date: of the run, as in 2026-01-31; results have their own.
    """

    results: tuple[Result, ...]
    machine: str
    version: str
    measuring: int
    threads: int
    peak_floor: int
    date: str

    def measured(self) -> list[Result]:
        """Results of the files that were asked for."""
        return [result for result in self.results if not result.check]

    def checks(self) -> list[Result]:
        """Results of the inputs that nothing can shrink."""
        return [result for result in self.results if result.check]

    def break_even(self, result: Result) -> int | None:
        """Bytes of such content from which on the model of `result` has paid for itself.

        That is against the best compressor of this run, on the same file, that needs no model; None
        where there is no model, or where it never does.
        """
        same = [other for other in self.results if other.file == result.file and other.ok]
        return _break_even(result, same) if result.ok else None

    def totals(self) -> list[Total]:
        """One for each compressor: smallest first, those without numbers last."""
        groups: dict[str, list[Result]] = {}
        for result in self.measured():
            groups.setdefault(result.spec, []).append(result)
        sums = [_total(group) for group in groups.values()]
        good = [total for total in sums if total.ok]
        sums = [
            total.replace(break_even=_break_even(total, good)) if total.ok else total
            for total in sums
        ]
        return sorted(sums, key=lambda total: (not total.ok, total.archive_bytes))

    def as_dict(self) -> dict[str, Any]:
        """Everything, with what follows from it, as JSON has it."""
        facts = {name: getattr(self, name) for name in self._fields if name != "results"}
        facts["results"] = [
            result.as_dict() | _derived(result, self.break_even(result)) for result in self.results
        ]
        facts["totals"] = [
            total.as_dict() | _derived(total, total.break_even) for total in self.totals()
        ]
        return facts

    @staticmethod
    def from_dict(facts: Mapping[str, Any]) -> Run:
        """What `as_dict` gave. Raises TypeError, KeyError or ValueError for anything else."""
        named = {name: facts[name] for name in Run._fields}
        named["results"] = tuple(Result.from_dict(result) for result in facts["results"])
        return Run(**named)


def speed(raw_bytes: int, cost: Cost) -> float:
    """Megabytes (10**6 bytes) of content in a second of elapsed time."""
    return raw_bytes / 1e6 / max(cost.wall, 1e-6)


def _derived(one: Result | Total, break_even: int | None) -> dict[str, Any]:
    """What follows from a result or a total; None where it has no numbers."""
    names = (
        *("bits_per_byte", "ratio", "adjusted_bytes", "adjusted_bits_per_byte"),
        *("compress_speed", "decompress_speed", "break_even"),
    )
    if not one.ok:
        return dict.fromkeys(names)
    values = (
        round(one.bits_per_byte, 6),
        round(one.raw_bytes / one.archive_bytes, 6),
        one.adjusted_bytes,
        round(8 * one.adjusted_bytes / one.raw_bytes, 6),
        round(speed(one.raw_bytes, one.compress), 6),
        round(speed(one.raw_bytes, one.decompress), 6),
        break_even,
    )
    return dict(zip(names, values, strict=True))


def _break_even(one: Result | Total, others: Iterable[Result | Total]) -> int | None:
    free = [other.bits_per_byte for other in others if not other.model_bytes]
    if not one.model_bytes or not free or one.bits_per_byte >= min(free):
        return None
    return -int(-8 * one.model_bytes // (min(free) - one.bits_per_byte))


def _total(group: Sequence[Result]) -> Total:
    first = group[0]
    raw = sum(result.raw_bytes for result in group)
    total = Total(first.compressor, first.spec, first.version, len(group), raw)
    bad = [result for result in group if not result.ok]
    if bad:
        alike = all(result.status == bad[0].status for result in group)
        return total.replace(status=bad[0].status if alike else f"{bad[0].file}: {bad[0].status}")
    archives = sum(result.archive_bytes for result in group)
    return total.replace(
        archive_bytes=archives,
        bits_per_byte=8 * archives / raw,
        mean_bits_per_byte=sum(result.bits_per_byte for result in group) / len(group),
        compress=_sum(result.compress for result in group),
        decompress=_sum(result.decompress for result in group),
        model=next((result.model for result in group if result.model), ""),
        model_bytes=max(result.model_bytes for result in group),
        kept=sum(result.kept for result in group),
    )


def _sum(costs: Iterator[Cost]) -> Cost:
    every = list(costs)
    return Cost(
        sum(cost.cpu for cost in every),
        sum(cost.wall for cost in every),
        max(cost.peak for cost in every),
    )
