"""Whole archives, from one file object to another: what the command line stands on."""

from __future__ import annotations

from llmzip.reader import check_coded, read_archive
from llmzip.report import Notice, Phase, Progress, Report, Summary
from llmzip.writer import write_archive

__all__ = [
    "Notice",
    "Phase",
    "Progress",
    "Report",
    "Summary",
    "check_coded",
    "read_archive",
    "write_archive",
]
