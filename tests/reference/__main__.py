"""`python -m reference FILE`: writes the contents of an archive to standard output."""

import sys
from pathlib import Path

from .container import decode
from .errors import ArchiveError


def main() -> int:
    if len(sys.argv) != 2:
        print("usage: python -m reference FILE >CONTENT", file=sys.stderr)
        return 2
    try:
        content = decode(Path(sys.argv[1]).read_bytes())
    except (ArchiveError, OSError) as error:
        print(f"reference: {sys.argv[1]}: {error}", file=sys.stderr)
        return 1
    sys.stdout.buffer.write(content)
    return 0


if __name__ == "__main__":
    sys.exit(main())
