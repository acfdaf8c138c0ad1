"""Whole archives, from one file object to another.

The command line imports `reader` or `writer` alone, as it needs one of them.
"""

from __future__ import annotations

from llmzip.reader import check_coded, read_archive
from llmzip.report import Notice, Progress, Report, Summary
from llmzip.writer import archive_parts, write_archive

__all__ = [
    "Notice",
    "Progress",
    "Report",
    "Summary",
    "archive_parts",
    "check_coded",
    "read_archive",
    "write_archive",
]
