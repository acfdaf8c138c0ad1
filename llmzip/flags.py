"""The one table of options: parsing and help both come from it."""

from __future__ import annotations

import getopt
import os
from collections.abc import Callable, Mapping, Sequence

from llmzip.commands.job import VERBS, Job
from llmzip.errors import UsageError
from llmzip.options import MOST_SEGMENTS
from llmzip.record import Record

MOST_THREADS = 4096

_UNITS = {"": 0, "B": 0, "K": 10, "M": 20, "G": 30, "T": 40}


def _size(text: str) -> int:
    """Bytes; K, M, G and T are binary, and may be followed by B or iB."""
    digits = text.rstrip("KMGTBibkmgt")
    unit = text[len(digits) :].upper()
    if len(unit) > 1:
        unit = unit.removesuffix("IB").removesuffix("B")
    if not (digits.isascii() and digits.isdigit()) or unit not in _UNITS or not int(digits):
        raise UsageError(f"{text!r} is not a size; write for example 512M or 2G")
    return int(digits) << _UNITS[unit]


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > 9:
        raise UsageError(f"{text!r} is not a number")
    return int(text)


def _offset(text: str) -> int:
    """As `_size`, or 0."""
    return 0 if text == "0" else _size(text)


def _seed(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > 19:
        raise UsageError(f"{text!r} is no seed; write a whole number")
    return int(text)


def _temperature(text: str) -> float:
    try:
        found = float(text)
    except ValueError:
        found = -1.0
    if not 0 <= found <= 100:
        raise UsageError(f"{text!r} is no temperature; write a number from 0 to 100")
    return found


def _count(text: str) -> int:
    number = _number(text)
    if not number:
        raise UsageError(f"{text!r} is none: write at least 1")
    return number


def _threads(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or int(text) > MOST_THREADS:
        raise UsageError(f"{text!r} is not a number of threads; write 0 (all) to {MOST_THREADS:,}")
    return int(text)


def _segments(text: str) -> int:
    if text == "auto":
        return 0
    known = text.isascii() and text.isdigit() and len(text) < 4
    if not known or not 1 <= int(text) <= MOST_SEGMENTS:
        raise UsageError(f"{text!r} is no number of segments; write auto or 1 to {MOST_SEGMENTS}")
    return int(text)


def _one_of(*names: str) -> Callable[[str], str]:
    def one(text: str) -> str:
        if text not in names:
            raise UsageError(f"{text!r}: choose of {', '.join(names)}")
        return text

    return one


class Flag(Record):
    """An option: the field of `Job` it sets, its letter and words, and what it sets.

    `value` is set as it is, or called with the argument where there is a `metavar`; `counts` flags
    add up instead, and `collects` ones are kept all. Without `help`, help does not show it.
    """

    field: str
    letter: str
    words: tuple[str, ...]
    help: str
    value: object = True
    metavar: str = ""
    counts: bool = False
    collects: bool = False


FLAGS = (
    Flag("mode", "z", ("compress",), "Compress; what happens without a mode.", "compress"),
    Flag("mode", "d", ("decompress",), "Decompress FILE.llmz to FILE.", "decompress"),
    Flag("mode", "t", ("test",), "Test archives: decode everything, write nothing.", "test"),
    Flag("mode", "l", ("list",), "List what archives hold, without decoding them.", "list"),
    *(Flag("level", str(n), (), "", n) for n in range(2, 9)),
    Flag("level", "1", ("fast",), "", 1),
    Flag("level", "9", ("best",), "", 9),
    Flag("stdout", "c", ("stdout",), "Write to standard output."),
    Flag("output", "o", ("output",), "Write to FILE (one input only).", str, "FILE"),
    Flag("output_dir", "", ("output-dir",), "Write the outputs into DIR.", str, "DIR"),
    Flag("force", "f", ("force",), "Overwrite outputs; take links; use terminals for archives."),
    Flag("keep", "k", ("keep",), "Keep the input files; they are kept anyway."),
    Flag("remove", "", ("rm",), "Remove each input once its output is verified and on disk."),
    Flag("recursive", "r", ("recursive",), "Take every file in folders; one archive for each."),
    Flag(
        *("predictor", "p", ("predictor",)),
        "Use this predictor instead of choosing by content.",
        *(str, "NAME"),
    ),
    Flag(
        *("model", "m", ("model",)),
        "Let a language model predict text, or a circuit rows; decoding needs it too. NAME, sha256 "
        "or path of a pack.",
        *(str, "NAME"),
    ),
    Flag(
        *("embed_model", "", ("embed-model",)),
        "With -m: put the model into the archive, which then opens without; it is large.",
    ),
    Flag(
        *("adapt", "", ("no-adapt",)),
        "With -m: do not let the model learn the content on its way.",
        False,
    ),
    Flag(
        *("segments", "", ("segments",)),
        "With -m: cut a text into N segments, which decode together several times as fast and take "
        "a little more; auto (the default) does so below -7, from 64 KiB on.",
        *(_segments, "N"),
    ),
    Flag(
        *("base", "", ("base",)),
        "Code tensors as changes of those in FILE, or in the file of that name in folder FILE.",
        *(str, "FILE"),
    ),
    Flag(
        *("standalone", "", ("standalone",)),
        "With -r: let no archive refer to another one that has the same tensors.",
    ),
    Flag(
        *("verify", "", ("no-verify",)),
        "Do not decode what was written to compare it; half the time.",
        False,
    ),
    Flag(
        *("threads", "T", ("threads",)),
        "Use N threads, by default $LLMZIP_THREADS or all cores; archives do not depend on it.",
        *(_threads, "N"),
    ),
    Flag(
        *("memory", "M", ("memory",)),
        "Use at most SIZE of memory, as in 512M or 4G; fewer threads if need be.",
        *(_size, "SIZE"),
    ),
    Flag("quick", "", ("quick",), "With test: check coded bytes only, decode nothing."),
    Flag("name", "", ("name",), "With models import and pull: call it NAME.", str, "NAME"),
    Flag(
        *("importer", "", ("importer",)),
        "With models import and pull: make the pack as version N of the importer does.",
        *(_number, "N"),
    ),
    Flag(
        *("states", "", ("states",)),
        "With train: states of each latent: 4, 8, 16 (the default) or 32.",
        *(_number, "N"),
    ),
    Flag(
        *("passes", "", ("passes",)),
        "With train: look at every row N times, by default 10.",
        *(_number, "N"),
    ),
    Flag(
        *("source", "", ("from",)),
        "With corpora get: take files from folder or http address DIR, not from their publishers.",
        *(str, "DIR"),
    ),
    Flag(
        *("compressors", "", ("with",)),
        "With measure: these compressors, as in llmzip,cm:8,llm:NAME,xz,zstd:19; by default llmzip "
        "and every peer that is installed.",
        *(str, "LIST"),
    ),
    Flag("again", "", ("again",), "With measure: measure what earlier runs have kept, too."),
    Flag("page", "", ("report",), "With measure: write a page to look at, FILE.html.", str, "FILE"),
    Flag(
        *("chunk", "", ("chunk",)),
        "With measure: compress chunks of SIZE bytes, each alone, without containers; count the "
        "model; 2048 is what papers have.",
        *(_size, "SIZE"),
    ),
    Flag(
        *("context", "", ("context",)),
        "With measure: code lengths by a language model alone (-m, --hf), in windows of N tokens.",
        *(_count, "N"),
    ),
    Flag(
        *("hf", "", ("hf",)),
        "With --chunk and --context: a causal language model that transformers loads, in float32.",
        *(str, "FOLDER"),
    ),
    Flag(
        *("limit", "", ("bytes",)),
        "With explain (by default 100,000), --chunk and --context: only SIZE bytes of each file.",
        *(_size, "SIZE"),
    ),
    Flag(
        *("classes", "", ("class",)),
        "With classify: PATH, a file or a folder, has examples of class NAME; once for each.",
        *(str, "NAME=PATH"),
        collects=True,
    ),
    Flag(
        *("leave_one_out", "", ("leave-one-out",)),
        "With classify: label each example by all others, and tell how many labels are right.",
    ),
    Flag(
        *("balance", "", ("balance",)),
        "With classify: use as many bytes of examples of each class as the smallest one has.",
    ),
    Flag("target", "", ("target",), "With select: what to match, a file or folder.", str, "PATH"),
    Flag(
        *("pool", "", ("pool",)),
        "With select: what to choose from: a folder of files, JSON lines (.jsonl), or a text with "
        "a document in each line.",
        *(str, "PATH"),
    ),
    Flag("count", "n", ("number",), "With select: how many documents to pick.", _number, "N"),
    Flag(
        *("score", "", ("score",)),
        "With select: gain (the default), or ncd (the default of -p gzip, as in ZIP-FIT).",
        *(_one_of("gain", "ncd"), "NAME"),
    ),
    Flag(
        *("jsonl", "", ("jsonl",)),
        "With trend: JSON lines with the documents and their dates.",
        *(str, "FILE"),
    ),
    Flag("text_field", "", ("text-field",), "The field of JSON with a text: text.", str, "NAME"),
    Flag("date_field", "", ("date-field",), "The field of JSON with a date: date.", str, "NAME"),
    Flag(
        *("dates", "", ("dates",)),
        "With trend: take the dates of files from their name (the default) or mtime.",
        *(_one_of("name", "mtime"), "WHERE"),
    ),
    Flag(
        *("by", "", ("by",)),
        "With trend: put documents together by month (the default), quarter or year.",
        *(_one_of("month", "quarter", "year"), "PERIOD"),
    ),
    Flag(
        *("cutoff", "", ("cutoff",)),
        "With trend: compare documents from before DATE (2024-05-17) with those from then on.",
        *(str, "DATE"),
    ),
    Flag(
        *("prime", "", ("prime",)),
        "With trend and generate: go on as if PATH had been read before; without, generate has "
        "read a primer of 48 KB.",
        *(str, "PATH"),
    ),
    Flag("csv", "", ("csv",), "Write all results to FILE, a row each.", str, "FILE"),
    Flag("svg", "", ("svg",), "With distance and trend: write a picture to FILE.", str, "FILE"),
    Flag("begin", "", ("from",), "With explain: begin at byte N.", _offset, "N"),
    Flag(
        *("length", "", ("length",)),
        "With generate: write N bytes behind the prompt, by default 500.",
        *(_offset, "N"),
    ),
    Flag("seed", "", ("seed",), "With generate: draw by seed N, by default 0.", _seed, "N"),
    Flag(
        *("temperature", "", ("temperature",)),
        "With generate: below 1 what is likelier comes oftener, at 0 always; above 1 less often.",
        *(_temperature, "T"),
    ),
    Flag("quiet", "q", ("quiet",), "Say less; twice: no errors either.", counts=True),
    Flag("verbose", "v", ("verbose",), "Say more.", counts=True),
    Flag("progress", "", ("no-progress",), "Show no progress bar.", False),
    Flag("as_json", "", ("json",), "Report on standard output, one JSON object a file."),
    Flag("help", "h", ("help",), "Show this help."),
    Flag("version", "V", ("version",), "Show the version."),
)

_ALL = frozenset(flag.field for flag in FLAGS) - {
    *("name", "importer", "states", "passes", "source"),
    *("compressors", "again", "page", "chunk", "context", "hf", "limit"),
    *("classes", "leave_one_out", "balance", "target", "pool", "count", "score", "jsonl", "prime"),
    *("text_field", "date_field", "dates", "by", "cutoff", "csv", "svg"),
    *("begin", "length", "seed", "temperature"),
}
_CODE_LENGTHS = frozenset(
    {"level", "predictor", "model", "threads", "force", "csv"}
    | {"quiet", "verbose", "progress", "as_json", "help"}
)
_WRITING = _ALL - {"mode", "version", "quick"}
_FOR_COMPRESSING = frozenset(
    {"level", "predictor", "verify", "standalone", "adapt", "segments", "embed_model"}
)
_FIELDS = {
    "compress": _WRITING,
    "decompress": _WRITING - _FOR_COMPRESSING,
    "test": _ALL
    - {"mode", "version", "stdout", "output", "output_dir", "keep", "remove"}
    - _FOR_COMPRESSING,
    "list": frozenset({"recursive", "force", "quiet", "verbose", "progress", "as_json", "help"}),
    "cat": frozenset(
        {"output", "force", "threads", "memory", "base", "model"}
        | {"quiet", "verbose", "progress", "as_json", "help"}
    ),
    "rows": frozenset(
        {"output", "force", "threads", "memory", "base", "model"}
        | {"quiet", "verbose", "progress", "as_json", "help"}
    ),
    "train": frozenset(
        {"output", "force", "threads", "states", "passes"} | {"quiet", "verbose", "as_json", "help"}
    ),
    "measure": frozenset(
        {"level", "model", "threads", "recursive", "force", "compressors", "again", "csv", "page"}
        | {"chunk", "context", "hf", "limit"}
        | {"quiet", "verbose", "progress", "as_json", "help"}
    ),
    "distance": _CODE_LENGTHS | {"recursive", "svg"},
    "classify": _CODE_LENGTHS | {"classes", "leave_one_out", "balance"},
    "select": _CODE_LENGTHS | {"target", "pool", "count", "score", "text_field", "output"},
    "trend": _CODE_LENGTHS
    | {"jsonl", "date_field", "text_field", "dates", "by", "cutoff", "prime", "svg"},
    "explain": frozenset(
        {"level", "predictor", "model", "base", "begin", "limit", "output", "force", "threads"}
        | {"quiet", "verbose", "progress", "as_json", "help"}
    ),
    "generate": frozenset(
        {"level", "model", "length", "seed", "temperature", "prime", "output", "force", "threads"}
        | {"quiet", "verbose", "as_json", "help"}
    ),
    "estimate": frozenset({"threads", "quiet", "verbose", "as_json", "help"}),
    "models": frozenset({"name", "importer", "force", "quiet", "verbose", "as_json", "help"}),
    "corpora": frozenset({"source", "force", "quiet", "verbose", "progress", "as_json", "help"}),
    "recover": frozenset(
        {"stdout", "output", "force", "threads", "memory", "base", "model"}
        | {"quiet", "verbose", "progress", "as_json", "help"}
    ),
}


def flags_of(verb: str | None) -> list[Flag]:
    """The options that `verb` takes; without a verb, all of them."""
    fields = _ALL if verb is None else _FIELDS[verb]
    return [flag for flag in FLAGS if flag.field in fields]


class Asked(Record):
    """What the arguments ask for: a `job`, or `help` (of `verb`), or the `version`."""

    job: Job
    verb: str | None
    help: bool
    version: bool


def parse(arguments: Sequence[str], environment: Mapping[str, str] = os.environ) -> Asked:
    """Read the arguments; raises UsageError. A verb counts as one only in front."""
    verb = arguments[0] if arguments and arguments[0] in VERBS else None
    more = f"; see llmzip {verb} -h" if verb else "; see llmzip -h"
    flags = flags_of(verb)
    letters = "".join(f.letter + (":" if f.metavar else "") for f in flags if f.letter)
    words = [word + ("=" if f.metavar else "") for f in flags for word in f.words]
    try:
        found, files = getopt.gnu_getopt(list(arguments[verb is not None :]), letters, words)
    except getopt.GetoptError as error:
        raise UsageError(error.msg.replace("not recognized", "is not known") + more) from None
    names = {f"-{f.letter}": f for f in flags if f.letter}
    names |= {f"--{word}": f for f in flags for word in f.words}
    values: dict[str, object] = {}
    if environment.get("LLMZIP_THREADS"):
        values["threads"] = _named("LLMZIP_THREADS", _threads, environment["LLMZIP_THREADS"])
    for name, argument in found:
        flag = names[name]
        if flag.counts:
            so_far = values.get(flag.field, 0)
            assert isinstance(so_far, int)
            values[flag.field] = so_far + 1
        elif flag.collects:
            assert callable(flag.value)
            earlier = values.get(flag.field, ())
            assert isinstance(earlier, tuple)
            values[flag.field] = (*earlier, _named(name, flag.value, argument))
        elif callable(flag.value):
            values[flag.field] = _named(name, flag.value, argument)
        else:
            values[flag.field] = flag.value
    help, version = bool(values.pop("help", False)), bool(values.pop("version", False))
    mode = verb or values.pop("mode", "compress")
    job = Job(mode=mode, files=tuple(files) or ("-",), **values)  # type: ignore[arg-type]
    return Asked(job, verb, help, version)


def _named(name: str, value: Callable[[str], object], argument: str) -> object:
    if not argument:
        raise UsageError(f"option {name} requires argument")
    try:
        return value(argument)
    except UsageError as error:
        raise UsageError(f"{name}: {error}") from None
