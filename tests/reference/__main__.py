"""`python -m reference FILE [OTHER]...`: writes the contents of an archive to standard output.

An OTHER is a file that tensors of FILE may be changes of, an archive of one, an archive that
segments of FILE are copies of, or the pack of the model that FILE needs. Archives in the folder of
FILE are looked at too, as far as FILE needs any.
"""

import sys
from pathlib import Path

from .container import MAGIC, content_hash, decode, needed
from .errors import ArchiveError

PACK_MAGIC = b"\x8bLZPACK\n"


def main() -> int:
    if len(sys.argv) < 2:
        print("usage: python -m reference FILE [OTHER]... >CONTENT", file=sys.stderr)
        return 2
    path, *given = map(Path, sys.argv[1:])
    try:
        archive = path.read_bytes()
        wanted = needed(archive)
        beside = [near for near in sorted(path.parent.glob("*.llmz")) if near != path]
        bases: list[bytes] = []
        archives: dict[bytes, bytes] = {}
        packs: list[bytes] = []
        for other in [*given, *(beside if wanted else [])]:
            data = other.read_bytes()
            if data.startswith(PACK_MAGIC):
                packs.append(data)
            elif not data.startswith(MAGIC):
                bases.append(data)
            elif other in given or content_hash(data) in wanted:
                content = decode(data, bases)
                bases.append(content)
                archives[content_hash(data)] = content
        content = decode(archive, bases, archives, packs)
    except (ArchiveError, OSError) as error:
        print(f"reference: {sys.argv[1]}: {error}", file=sys.stderr)
        return 1
    sys.stdout.buffer.write(content)
    return 0


if __name__ == "__main__":
    sys.exit(main())
