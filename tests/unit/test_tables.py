"""The context mixer's tables are what their script makes, and the primer is what its list says."""

import hashlib
import importlib.util
import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
TABLES = ROOT / "predictors" / "tables"


def test_tables_are_what_the_script_makes():
    spec = importlib.util.spec_from_file_location("tables_make", TABLES / "make.py")
    make = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make)
    for name, text in make.files().items():
        assert (TABLES / name).read_text() == text, name


def test_the_primer_is_the_sum_of_its_listed_parts():
    listed = tomllib.loads((TABLES / "primer.toml").read_text())
    primer = (TABLES / listed["path"]).read_bytes()
    assert len(primer) == listed["bytes"]
    assert hashlib.sha256(primer).hexdigest() == listed["sha256"]
    at = 0
    for part in listed["part"]:
        assert part["start"] == at
        assert part["licence"] and part["source"]
        at = part["end"]
    assert at == len(primer)


def test_the_format_names_the_files_of_today():
    rows = re.findall(r"\| `(\S+)` \| `([0-9a-f]{64})` \|", (ROOT / "FORMAT.md").read_text())
    assert {name for name, _ in rows} == {path.name for path in TABLES.glob("*.[ct][sx][vt]")}
    for name, digest in rows:
        assert hashlib.sha256((TABLES / name).read_bytes()).hexdigest() == digest, name
