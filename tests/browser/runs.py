"""A run that nobody measured, for what shows runs: twelve compressors, twenty files."""

from __future__ import annotations

from llmzip.measure import Cost, Result, Run

# Name, what it makes of a file, MB/s both ways; each is better than the one below in something.
COMPRESSORS = [
    ("llmzip -8 -m small", 0.18, 0.002, 0.002),
    ("llmzip -8", 0.22, 0.06, 0.06),
    ("llmzip -6", 0.24, 0.4, 0.4),
    ("llmzip -3", 0.26, 0.6, 0.6),
    ("zpaq -m5", 0.25, 0.2, 0.2),
    ("lrzip -z -L9", 0.27, 0.25, 0.27),
    ("bzip3 -b 16", 0.28, 9.0, 5.0),
    ("brotli -q 11", 0.30, 0.5, 250.0),
    ("xz -9e", 0.31, 0.9, 60.0),
    ("zstd --ultra -22", 0.33, 0.8, 400.0),
    ("bzip2 -9", 0.32, 11.0, 20.0),
    ("gzip -9", 0.37, 20.0, 300.0),
]
MODEL_BYTES = 50_000
# By MB/s and ratio, both ways.
FRONT = {
    "compress": {"llmzip -8 -m small", "llmzip -8", "llmzip -6", "llmzip -3", "bzip3 -b 16"}
    | {"bzip2 -9", "gzip -9"},
    "decompress": {"llmzip -8 -m small", "llmzip -8", "llmzip -6", "llmzip -3", "bzip3 -b 16"}
    | {"brotli -q 11", "zstd --ultra -22"},
}


def result(
    name: str, share: float, there: float, back: float, number: int, **more: object
) -> Result:
    """One compressor on file `number`."""
    raw = 40_000 + 10_000 * number
    # Files differ, and so does what each compressor makes of them.
    own = share * (0.7 + 0.03 * ((number * 7 + len(name)) % 20))
    steps = tuple((at, round(8 * own * (1.3 - at / raw), 4)) for at in range(0, raw, 1000))
    mine = name.startswith("llmzip")
    one = Result(
        file=f"file-{number:02}.txt",
        sha256=f"{number:064x}",
        raw_bytes=raw,
        compressor=name,
        spec=name.replace(" ", ":"),
        version="1.0",
        archive_bytes=round(own * raw),
        compress=Cost(raw / 1e6 / there, raw / 1e6 / there, 40_000),
        decompress=Cost(raw / 1e6 / back, raw / 1e6 / back, 30_000),
        along=steps if mine else (),
        model="small" if "-m" in name else "",
        model_bytes=MODEL_BYTES if "-m" in name else 0,
        date="2026-01-31",
    )
    return one.replace(**more)


def run(results: list[Result]) -> Run:
    """A run of these results."""
    return Run(tuple(results), "an abacus, 2 cores", "0.0", 1, 1, 20_000, "2026-01-31")


def large(files: int = 20) -> Run:
    """The run; with a check."""
    found = [result(*one, number) for number in range(files) for one in COMPRESSORS]
    found += [
        result(*one, 0, file="random bytes", raw_bytes=1000, archive_bytes=1010, check=True)
        for one in COMPRESSORS
    ]
    return run(found)
