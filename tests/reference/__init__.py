"""A slow, clear reader of `.llmz` archives, written from FORMAT.md alone.

It shares no code with llmzip, so that where the two agree FORMAT.md has been read the same way
twice. It is for tests and for people who want to know how an archive is read; it keeps the
whole archive in memory. From the folder above: `python -m reference FILE >CONTENT`.
"""

from .container import decode

__all__ = ["decode"]
