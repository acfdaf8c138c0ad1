"""llmzip distance on one text in many languages: do families of languages come together.

    bench/languages.py FOLDER      writes languages.csv and languages.svg here, prints the tree

FOLDER has the text in each language as LANGUAGE.txt, UTF-8; for the committed results the Universal
Declaration of Human Rights, from the Debian source package libexttextcat:

    apt-get source --download-only libexttextcat && tar -xf libexttextcat_*.orig.tar.xz
    bench/languages.py libexttextcat-*/langclass/ShortTexts

Of a text only the words count: white space becomes one space, and characters are composed (NFC).
Everything else, diacritics and the forms of letters too, stays.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import unicodedata
from pathlib import Path

from llmzip.similarity.codelength import code_length
from llmzip.similarity.dendrogram import joints
from llmzip.similarity.distance import Distances, distances
from llmzip.similarity.documents import Document

HERE = Path(__file__).resolve().parent
FAMILIES = {
    "Germanic": {
        **{"Afrikaans": "af", "Danish": "da", "Dutch": "nl", "English": "en", "Frisian": "fy"},
        **{"German": "de", "Icelandic": "is", "Norwegian": "nb", "Swedish": "sv"},
    },
    "Romance": {
        **{"Catalan": "ca", "French": "fr", "Galician": "gl", "Italian": "it", "Occitan": "oc"},
        **{"Portuguese": "pt", "Romanian": "ro", "Spanish": "es"},
    },
    "Slavic": {
        **{"Bosnian": "bs", "Croatian": "hr", "Czech": "cs", "Polish": "pl", "Slovak": "sk"},
        **{"Slovene": "sl"},
    },
}
FAMILY = {name: family for family, some in FAMILIES.items() for name in some}


def words(path: Path) -> bytes:
    """The text of a file with one space between words."""
    data = path.read_bytes()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        # As the package has Catalan.
        text = data.decode("latin-1")
    return " ".join(unicodedata.normalize("NFC", text).split()).encode()


def report(found: Distances) -> None:
    """Prints how well families come together."""
    names = found.names
    near = 0
    for x, name in enumerate(names):
        y = min((y for y in range(len(names)) if y != x), key=lambda y: found.ncd[x][y])
        same = FAMILY[name] == FAMILY[names[y]]
        near += same
        if not same:
            print(f"nearest to {name}: {names[y]}, {found.ncd[x][y]:.4f}")
    print(f"{found.way}: the nearest language is of the same family for {near} of {len(names)}")
    for family in FAMILIES:
        own = {name for name in names if FAMILY[name] == family}
        of = [{names[member] for member in joint.members} for joint in joints(found.tree)]
        pure = max((cluster for cluster in of if cluster <= own), key=len)
        rest = f", without {', '.join(sorted(own - pure))}" if own - pure else ""
        print(f"{family}: one cluster has {len(pure)} of {len(own)} languages and no other{rest}")


def main() -> int:
    """Compare the languages."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--level", type=int, help="of cm, instead of the default")
    parser.add_argument("--predictor", help="instead of cm; only prints")
    asked = parser.parse_args()
    codes = {name: code for some in FAMILIES.values() for name, code in some.items()}
    texts = {name: words(asked.folder / f"{codes[name]}.txt") for name in sorted(codes)}
    way = code_length(asked.predictor, level=asked.level, samples=list(texts.values()))
    report(distances([Document(name, text) for name, text in texts.items()], way))
    if asked.predictor or asked.level:
        return 0
    with tempfile.TemporaryDirectory() as folder:
        for name, text in texts.items():
            (Path(folder) / name).write_bytes(text)
        outputs = ("--csv", HERE / "languages.csv", "--svg", HERE / "languages.svg", "-f")
        program = Path(sys.executable).with_name("llmzip")
        subprocess.run([program, "distance", *outputs, *texts], cwd=folder, check=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
