"""Tiny corpora with manifests, in every form that a publisher may choose."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import tarfile
import zipfile
from pathlib import Path

FILES = {"a.txt": b"the first file\n" * 5000, "sub/b.bin": bytes(range(256)) * 30}


def zipped(files: dict[str, bytes]) -> bytes:
    """A zip archive."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()


def tarred(files: dict[str, bytes], *, links: dict[str, str] | None = None) -> bytes:
    """A gzipped tar archive, with symbolic links by name and target."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, target in (links or {}).items():
            link = tarfile.TarInfo(name)
            link.type, link.linkname = tarfile.SYMTYPE, target
            archive.addfile(link)
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return out.getvalue()


def entry(kind: str, path: str, content: bytes, sums: str = "sha256", **more: object) -> str:
    """A `[[file]]` or `[[archive]]` of a manifest, with checksums of the kinds in `sums`."""
    values: dict[str, object] = {"path": path, "what": "for tests", "bytes": len(content)}
    values |= {sum: hashlib.new(sum, content).hexdigest() for sum in sums.split()} | more
    lines = [f"{key} = {value!r}" for key, value in values.items()]
    return f"\n[[{kind}]]\n" + "\n".join(lines) + "\n"


def manifest(name: str, base: str, *entries: str) -> str:
    """A manifest whose files lie below `base`."""
    about = "".join(f'{key} = "of tests"\n' for key in ("source", "licence", "citation", "get"))
    return f'name = "{name}"\n{about}base = ["{base}/"]\n' + "".join(entries)


def write(folder: Path, base: str) -> dict[str, bytes]:
    """Writes manifests into `folder`; returns what the server at `base` has to serve.

    Corpora: `plain` (files by themselves), `zip`, `tar` (md5 of the archive alone), `gz`, `bz2`,
    `whole` (an archive that is taken as it is), `unsummed` (no checksum at all), and `samples`.
    """
    both = [entry("file", name, content) for name, content in FILES.items()]
    first = FILES["a.txt"]
    served = {name: content for name, content in FILES.items()} | {
        "x.zip": zipped(FILES | {"other": b"not listed"}),
        "x.tar.gz": tarred({f"./{name}": content for name, content in FILES.items()}),
        "whole.tar.gz": tarred({f"top/{name}": content for name, content in FILES.items()}),
        "a.gz": gzip.compress(first, mtime=0),
        "a.bz2": bz2.compress(first),
    }

    def archive(path: str, kind: str, sums: str = "sha256", **more: object) -> str:
        return entry("archive", path, served[path], sums, format=kind, **more)

    texts = {
        "plain": both,
        "zip": [archive("x.zip", "zip"), *both],
        "tar": [archive("x.tar.gz", "tar.gz", "md5"), *both],
        "gz": [archive("a.gz", "gz", "sha1"), entry("file", "a.txt", first, "md5 sha1")],
        "bz2": [archive("a.bz2", "bz2"), both[0]],
        "whole": [archive("whole.tar.gz", "tar.gz", unpack="all", limit=100_000)],
        "unsummed": [entry("file", "a.txt", first, "")],
        "samples": [entry("file", "s.txt", b"small\n")],
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, entries in texts.items():
        (folder / f"{name}.toml").write_text(manifest(name, base, *entries))
    (folder / "samples").mkdir(exist_ok=True)
    (folder / "samples" / "s.txt").write_bytes(b"small\n")
    return served
