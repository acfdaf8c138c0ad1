"""`python -m reference FILE [BASE]...`: writes the contents of an archive to standard output.

A BASE is a file that its tensors may be changes of.
"""

import sys
from pathlib import Path

from .container import decode
from .errors import ArchiveError


def main() -> int:
    if len(sys.argv) < 2:
        print("usage: python -m reference FILE [BASE]... >CONTENT", file=sys.stderr)
        return 2
    try:
        archive, *bases = (Path(name).read_bytes() for name in sys.argv[1:])
        content = decode(archive, bases)
    except (ArchiveError, OSError) as error:
        print(f"reference: {sys.argv[1]}: {error}", file=sys.stderr)
        return 1
    sys.stdout.buffer.write(content)
    return 0


if __name__ == "__main__":
    sys.exit(main())
