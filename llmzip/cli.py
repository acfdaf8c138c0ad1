"""From arguments to a command; nothing else is done here."""

from __future__ import annotations

import os
from collections.abc import Sequence

from llmzip import flags
from llmzip.commands.job import Job
from llmzip.commands.report import Report
from llmzip.stdio import complain


def run(arguments: Sequence[str]) -> int:
    """Do what the arguments ask for; returns the exit code."""
    if not arguments and _stdin_is_terminal():
        from llmzip import usage

        complain(usage.SHORT)
        return 2
    report = Report(Job(mode="", files=(), as_json="--json" in arguments))
    try:
        asked = flags.parse(arguments)
        if asked.help or asked.version:
            report.print(_about(asked))
            return report.exit_code
        report = Report(asked.job)
        asked.job.check()
        _run(asked.job, report)
    except Exception as error:
        report.error(None, error)
    return report.exit_code


def _run(job: Job, report: Report) -> None:
    """Hands over to the one command that is needed: importing takes longer than a small file."""
    match job.mode:
        case "compress":
            from llmzip.commands.compress import run
        case "decompress":
            from llmzip.commands.decompress import run
        case "test":
            from llmzip.commands.test import run
        case "list":
            from llmzip.commands.list import run
        case "cat":
            from llmzip.commands.cat import run
        case "rows":
            from llmzip.commands.rows import run
        case "train":
            from llmzip.commands.train import run
        case "measure":
            from llmzip.commands.measure import run
        case "distance":
            from llmzip.commands.distance import run
        case "classify":
            from llmzip.commands.classify import run
        case "select":
            from llmzip.commands.select import run
        case "trend":
            from llmzip.commands.trend import run
        case "explain":
            from llmzip.commands.explain import run
        case "generate":
            from llmzip.commands.generate import run
        case "estimate":
            from llmzip.commands.estimate import run
        case "recover":
            from llmzip.commands.recover import run
        case "models":
            from llmzip.commands.models import run
        case "corpora":
            from llmzip.commands.corpora import run
    run(job, report)


def _about(asked: flags.Asked) -> str:
    if asked.help:
        from llmzip import usage

        return usage.long(asked.verb).rstrip("\n")
    from llmzip._native import VERSION

    return f"llmzip {VERSION}"


def _stdin_is_terminal() -> bool:
    try:
        return os.isatty(0)
    except OSError:
        return False
