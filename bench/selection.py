"""llmzip select beside gzip-based selection, as in ZIP-FIT: does it find a topic, and how fast.

    bench/selection.py FILE... [--folder FOLDER...]      writes bench/selection.csv, prints a table

Documents are pieces of about 2 KB, whole lines, of all FILEs and of all *.py in each FOLDER. A
topic is one FILE, one folder in a FOLDER, or a part of a FILE that `PARTS` knows. Of each topic
some pieces are the target and others are planted in a pool of 2,000 documents, whose rest is drawn
from everything else, from the same file too. Precision is the share of planted documents among the
first ones, as many as were planted. Everything runs in this process, one method after the other, on
two threads.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path

from llmzip.similarity.codelength import code_length
from llmzip.similarity.documents import Document
from llmzip.similarity.selection import select

HERE = Path(__file__).resolve().parent
PIECE, POOL, TARGET, PLANTED, THREADS, SEED = 2048, 2000, 20, 100, 2, 6
# Beginnings and ends of topics that are a part of a file.
PARTS = {
    "bible.txt": {
        "psalms": (b"Blessed is the man that walketh not", b"The proverbs of Solomon the son"),
        "gospels": (
            b"The book of the generation of Jesus",
            b"Paul, a servant of Jesus Christ, called",
        ),
    },
}
FIELDS = ("topic", "planted", "documents", "method", "precision", "seconds", "cpu_seconds")


def pieces(data: bytes) -> list[bytes]:
    """Texts of whole lines, each as soon as it has `PIECE` bytes; a short rest is left out."""
    found, part = [], b""
    for line in data.splitlines(keepends=True):
        part += line
        if len(part) >= PIECE:
            found.append(part[: PIECE + 512])
            part = b""
    return found


def topics(files: list[Path], folders: list[Path]) -> dict[str, list[bytes]]:
    """Pieces by topic; a name with a + is of what remains of a file or folder."""
    found: dict[str, list[bytes]] = {}
    for path in files:
        data = path.read_bytes()
        for name, (begin, end) in PARTS.get(path.name, {}).items():
            first, last = data.index(begin), data.index(end)
            found[name] = pieces(data[first:last])
            data = data[:first] + data[last:]
        found[path.name + ("+" if path.name in PARTS else "")] = pieces(data)
    for folder in folders:
        for path in sorted(folder.rglob("*.py")):
            inner = path.relative_to(folder).parts
            name = f"{folder.name}/{inner[0]}" if len(inner) > 1 else f"{folder.name}+"
            found.setdefault(name, []).extend(pieces(path.read_bytes()))
    return found


def zipfit(target: list[bytes], texts: list[bytes], count: int) -> list[int]:
    """ZIP-FIT's alignment: the mean over the target's documents of 1 - NCD by gzip."""
    size: Callable[[bytes], int] = lambda data: len(gzip.compress(data, mtime=0))  # noqa: E731
    own = [size(document) for document in target]

    def alignment(text: bytes) -> float:
        alone, total = size(text), 0.0
        for document, other in zip(target, own, strict=True):
            both = size(text + document)
            total += 1 - (both - min(alone, other)) / max(alone, other)
        return total / len(target)

    scores = [alignment(text) for text in texts]
    return sorted(range(len(texts)), key=lambda number: -scores[number])[:count]


def run(topic: str, found: dict[str, list[bytes]]) -> list[dict[str, object]]:
    """A row for each method."""
    draw = random.Random(f"{SEED} {topic}")
    own = draw.sample(found[topic], min(len(found[topic]), TARGET + PLANTED))
    target, planted = own[:TARGET], own[TARGET:]
    rest = [piece for name, some in found.items() if name != topic for piece in some]
    documents = [(piece, True) for piece in planted]
    documents += [(piece, False) for piece in draw.sample(rest, POOL - len(planted))]
    draw.shuffle(documents)
    texts = [document for document, _ in documents]
    pool = [Document(str(number), text) for number, text in enumerate(texts)]

    def by(predictor: str, level: int | None, score: str) -> list[int]:
        way = code_length(predictor, level=level, samples=target + texts[:64], threads=THREADS)
        found = select(b"\n".join(target), pool, len(planted), way, score)
        return [choice.number for choice in found.chosen]

    methods: dict[str, Callable[[], list[int]]] = {
        "llmzip cm -3, gain": lambda: by("cm", 3, "gain"),
        "llmzip cm -3, ncd": lambda: by("cm", 3, "ncd"),
        "gzip -9, gain": lambda: by("gzip", 9, "gain"),
        "gzip -9, ncd to the whole target": lambda: by("gzip", 9, "ncd"),
        "gzip -9, mean ncd (ZIP-FIT)": lambda: zipfit(target, texts, len(planted)),
    }
    rows: list[dict[str, object]] = []
    for method, work in methods.items():
        wall, cpu = time.monotonic(), time.process_time()
        chosen = work()
        wall, cpu = time.monotonic() - wall, time.process_time() - cpu
        precision = sum(documents[number][1] for number in chosen) / len(planted)
        figures = (f"{precision:.3f}", f"{wall:.1f}", f"{cpu:.1f}")
        row = (topic, len(planted), len(documents), method, *figures)
        rows.append(dict(zip(FIELDS, row, strict=True)))
        print(*row, sep="\t", flush=True)
    return rows


def main() -> int:
    """Measure every topic that has enough pieces."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--folder", action="append", default=[], type=Path)
    parser.add_argument("--topic", action="append", help="only these")
    parser.add_argument("--csv", type=Path, default=HERE / "selection.csv")
    asked = parser.parse_args()
    found = topics(asked.files, asked.folder)
    names = asked.topic or [n for n in found if not n.endswith("+") and len(found[n]) >= 2 * TARGET]
    if sum(map(len, found.values())) < 2 * POOL:
        parser.error(f"there are fewer than {2 * POOL} pieces: name more files")
    rows = []
    for name in names:
        rows += run(name, found)
        with asked.csv.open("w", newline="") as file:
            writer = csv.DictWriter(file, FIELDS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
    print()
    for method in dict.fromkeys(str(row["method"]) for row in rows):
        own = [row for row in rows if row["method"] == method]
        mean = [sum(float(str(row[f])) for row in own) / len(own) for f in FIELDS[4:]]
        print(f"{method:32} precision {mean[0]:.3f}, {mean[1]:.1f} s, {mean[2]:.1f} s CPU")
    return 0


if __name__ == "__main__":
    sys.exit(main())
