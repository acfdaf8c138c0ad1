"""`llmzip corpora`: what there is to measure on, getting it, and where it is."""

from __future__ import annotations

from llmzip import corpora
from llmzip.commands.job import Job
from llmzip.commands.report import Report
from llmzip.errors import UsageError
from llmzip.progress import Meter
from llmzip.report import Progress
from llmzip.text import printable, quantity, table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from llmzip.corpora import Corpus

_ACTIONS = {"list": "", "get": " NAME...", "path": " NAME"}
_HEAD = ("corpus", "files", "bytes", "to get", "here", "licence")


def run(job: Job, report: Report) -> None:
    """Do what the first word after `corpora` says."""
    action, *given = job.files
    if action not in _ACTIONS:
        raise UsageError(f"corpora needs one of: {', '.join(_ACTIONS)}; see llmzip corpora -h")
    fits = {"list": not given, "get": bool(given), "path": len(given) == 1}
    if not fits[action]:
        raise UsageError(f"use llmzip corpora {action}{_ACTIONS[action]}")
    if job.source is not None and action != "get":
        raise UsageError(f"--from belongs to corpora get, not to {action}")
    if action == "list":
        _list(job, report)
        return
    for name in given:
        try:
            if action == "get":
                _get(job, report, name)
            elif job.as_json:
                report.done(name, "", folder=corpora.path(name))
            else:
                report.print(corpora.path(name))
        except Exception as error:
            report.error(name, error)


def _facts(corpus: Corpus) -> dict[str, Any]:
    facts = corpus.as_dict()
    facts["corpus"] = facts.pop("name")
    return facts | {"download_bytes": corpus.download_bytes}


def _list(job: Job, report: Report) -> None:
    found = corpora.list()
    if job.as_json:
        for corpus in found:
            report.done(corpus.name, "", **_facts(corpus))
        return
    rows = [_HEAD]
    for corpus in found:
        whole = any(archive.everything for archive in corpus.archives)
        # A corpus that is an archive as a whole tells neither before it is unpacked.
        count = "-" if whole else f"{len(corpus.files)}"
        size = "-" if whole else f"{sum(file.bytes for file in corpus.files):,}"
        here = "yes" if corpus.here else "no"
        licence = corpus.licence or "; ".join(dict.fromkeys(f.licence for f in corpus.files))
        to_get = quantity(corpus.download_bytes) if corpus.download_bytes else "-"
        rows.append((corpus.name, count, size, to_get, here, licence))
    report.print("\n".join(table(rows, right={1, 2, 3})))


def _get(job: Job, report: Report, name: str) -> None:
    meter = Meter(name, report.shows_progress)

    def told(done: int, total: int) -> None:
        meter(Progress("get", done, total, 0))

    def notice(line: str) -> None:
        meter.close()
        report.warn(name, line)

    before = {corpus.name for corpus in corpora.list() if corpus.here and not job.force}
    try:
        corpus = corpora.get(name, job.source, force=job.force, progress=told, notice=notice)
    finally:
        meter.close()
    if job.as_json:
        report.done(name, "", **_facts(corpus))
        return
    what = "is here already" if name in before else "is here"
    report.say(name, f"{what}: {printable(corpus.folder)}")
