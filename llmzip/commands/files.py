"""Which files a call works on, and where each one's output goes."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator

from llmzip.commands.job import Job
from llmzip.commands.report import Report
from llmzip.fileio import SUFFIX, NotAFileError
from llmzip.record import Record


class Item(Record):
    """One input: its `path` (`-` for standard input) and its name `below` an output folder."""

    path: str
    below: str


def gather(job: Job, report: Report) -> list[Item]:
    """All inputs in order; folders are walked with `-r`, sorted, links in them left alone.

    In folders, compression takes every regular file but archives, everything else archives only.
    """
    items: list[Item] = []
    for path in job.files:
        if path != "-" and job.recursive and os.path.isdir(path):
            items.extend(_walk(path, job, report))
        else:
            items.append(Item(path, os.path.basename(path)))
    return items


def _walk(top: str, job: Job, report: Report) -> Iterator[Item]:
    base = os.path.basename(os.path.abspath(top))

    def refused(error: OSError) -> None:
        report.error(error.filename, error)

    for folder, folders, names in os.walk(top, onerror=refused):
        folders.sort()
        for name in sorted(names):
            path = os.path.join(folder, name)
            if name.endswith(SUFFIX) is (job.mode == "compress"):
                report.note(path, "skipped")
                continue
            try:
                regular = stat.S_ISREG(os.lstat(path).st_mode)
            except OSError as error:
                report.error(path, error)
                continue
            if regular:
                yield Item(path, os.path.join(base, os.path.relpath(path, top)))
            else:
                report.note(path, "is not a regular file, skipped")


def target(job: Job, item: Item) -> str:
    """The path of the output for `item`; folders for it are made below `--output-dir`.

    Raises NotAFileError where the input's name gives none.
    """
    if job.output is not None:
        return job.output
    name = item.below if job.output_dir is not None else item.path
    if job.mode == "compress":
        if name.endswith(SUFFIX) and not job.force:
            raise NotAFileError(f"already ends in {SUFFIX}, skipped; -f compresses it again")
        name += SUFFIX
    else:
        name = _without_suffix(name)
    if job.output_dir is None:
        return name
    if os.path.dirname(name) and os.path.isdir(job.output_dir):
        os.makedirs(os.path.join(job.output_dir, os.path.dirname(name)), exist_ok=True)
    return os.path.join(job.output_dir, name)


def _without_suffix(name: str) -> str:
    stem = name.removesuffix(SUFFIX)
    if stem == name or not os.path.basename(stem):
        raise NotAFileError(
            f"has no name ending in {SUFFIX}; say where to write with -o FILE or -c"
        )
    return stem
