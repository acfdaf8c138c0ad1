"""Writes the pack of the tiny model: `python -m synthetic FILE`."""

import sys
from pathlib import Path

from synthetic import pack

target = Path(sys.argv[1])
target.write_bytes(pack(target.with_suffix(".gguf")))
