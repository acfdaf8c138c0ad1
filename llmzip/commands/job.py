"""What one call of the command line asks for."""

from __future__ import annotations

from llmzip.errors import UsageError
from llmzip.record import Record

VERBS = (
    *("compress", "decompress", "test", "list", "cat", "rows", "estimate", "recover", "models"),
    *("train", "measure", "corpora", "explain", "generate"),
    *("distance", "classify", "select", "trend"),
)
# What compares documents by code lengths.
COMPARING = frozenset({"distance", "classify", "select", "trend"})


class Job(Record):
    """The arguments, parsed. `files` holds `-` for standard input and is never empty; with `models`
    or `corpora` it holds an action and what that takes.

    level, predictor, threads, memory: None or 0 where the library's default holds. `remove`: the
    inputs go once the outputs are safe. `quiet`, `verbose`: how often the option was given.
    """

    mode: str
    files: tuple[str, ...]
    stdout: bool = False
    output: str | None = None
    output_dir: str | None = None
    force: bool = False
    keep: bool = False
    remove: bool = False
    recursive: bool = False
    level: int | None = None
    predictor: str | None = None
    base: str | None = None
    model: str | None = None
    adapt: bool = True
    segments: int = 0
    embed_model: bool = False
    standalone: bool = False
    verify: bool = True
    threads: int = 0
    memory: int | None = None
    quick: bool = False
    name: str | None = None
    importer: int | None = None
    states: int | None = None
    passes: int | None = None
    source: str | None = None
    compressors: str | None = None
    again: bool = False
    csv: str | None = None
    page: str | None = None
    chunk: int = 0
    context: int = 0
    hf: str | None = None
    limit: int | None = None
    classes: tuple[str, ...] = ()
    leave_one_out: bool = False
    balance: bool = False
    target: str | None = None
    pool: str | None = None
    count: int | None = None
    score: str | None = None
    text_field: str = "text"
    date_field: str = "date"
    jsonl: str | None = None
    dates: str = "name"
    by: str = "month"
    cutoff: str | None = None
    prime: str | None = None
    svg: str | None = None
    begin: int = 0
    length: int | None = None
    seed: int | None = None
    temperature: float | None = None
    quiet: int = 0
    verbose: int = 0
    progress: bool = True
    as_json: bool = False

    @property
    def codes(self) -> bool:
        """Whether this writes data, rather than looking at it."""
        return self.mode in ("compress", "decompress", "cat", "rows", "recover", "train")

    def check(self) -> None:
        """Raise UsageError for options that contradict each other."""
        destinations = [
            name
            for name, given in (
                ("-c", self.stdout),
                ("-o", self.output),
                ("--output-dir", self.output_dir),
            )
            if given
        ]
        if self.mode == "measure" and "-" in self.files:
            raise UsageError("measure needs files, folders or corpora; standard input is none")
        if self.mode in COMPARING:
            self._check_comparing()
            return
        if self.mode == "explain" and self.output is not None:
            if len(self.files) > 1:
                raise UsageError("-o takes one file to explain; give one at a time")
            if self.output == "-" and self.as_json:
                raise UsageError("with --json standard output holds the report; use -o FILE.html")
        if self.mode in ("explain", "generate"):
            return
        if not self.codes:
            if self.output or self.output_dir:
                raise UsageError(f"{self.mode} writes no file; leave out {destinations[-1]}")
            return
        if len(destinations) > 1:
            raise UsageError(f"{' and '.join(destinations)} name two places; choose one")
        if self.quick:
            raise UsageError("--quick belongs to test; use llmzip test --quick")
        if self.remove and self.keep:
            raise UsageError("--rm and -k contradict each other; choose one")
        if self.remove and self.mode == "compress" and not self.verify:
            raise UsageError("--rm needs the verification; leave out --no-verify")
        if self.output_dir and "-" in self.files:
            raise UsageError("standard input has no name for --output-dir; use -o FILE")
        if self.mode == "rows" and len(self.files) != 2:
            raise UsageError("rows takes an archive and the rows in it, as in 1000:2000")
        if self.mode == "train":
            if len(self.files) > 1 or not self.output or self.output == "-":
                raise UsageError("train takes one file, and a place for the circuit: use -o FILE")
            return
        if self.mode == "cat" and len(self.files) > 2:
            raise UsageError("cat takes an archive and the name of one tensor in it")
        if self.mode == "recover":
            if len(self.files) > 1:
                raise UsageError("recover takes one archive at a time")
            if not destinations:
                raise UsageError("recover needs a place to write to; use -o FILE")
        elif self.output and len(self.files) > 1 and self.mode not in ("cat", "rows"):
            raise UsageError("-o takes one input; use --output-dir DIR for several")
        to_stdout = self.stdout or self.output == "-" or (not destinations and "-" in self.files)
        to_stdout = to_stdout or (self.mode in ("cat", "rows") and not destinations)
        if self.as_json and to_stdout:
            raise UsageError("with --json standard output holds the report; use -o FILE for data")

    def _check_comparing(self) -> None:
        named = self.files != ("-",)
        if self.mode == "classify":
            if self.leave_one_out and named:
                raise UsageError("--leave-one-out labels the examples: leave out the files")
            if self.files.count("-") > 1:
                raise UsageError("standard input can be read once")
        if self.mode == "distance" and "-" in self.files:
            raise UsageError("distance needs files or folders; standard input is none")
        if self.mode == "select":
            for option, value in (("target", self.target), ("pool", self.pool)):
                if value is None:
                    raise UsageError(f"select needs --{option} PATH")
            if not self.count:
                raise UsageError("select needs the number of documents to pick: -n N")
            if self.target == "-" == self.pool:
                raise UsageError("standard input can be read once")
            if named:
                raise UsageError("select takes no files beside --target and --pool")
            if self.output == "-":
                raise UsageError("standard output has the table, or --json; use -o FILE")
        if self.mode == "trend" and not named and self.jsonl is None:
            raise UsageError("trend needs files with dates in their names, or --jsonl FILE")

    def to_stdout(self, path: str) -> bool:
        """Whether the output for input `path` goes to standard output."""
        if self.stdout or self.output == "-":
            return True
        return path == "-" and self.output is None
