"""What compressors make of files: sizes of archives that were decoded, times both ways, memory."""

from __future__ import annotations

from llmzip.measure.measuring import Step, measure
from llmzip.measure.results import Cost, Result, Run, Total

__all__ = ["Cost", "Result", "Run", "Step", "Total", "measure"]
