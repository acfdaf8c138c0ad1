"""What a release would publish, built once for all tests here."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The sdist, and the wheel that was built from it.

    Slow: `build` makes the sdist, unpacks it elsewhere and builds the wheel from that alone.
    """
    folder = tmp_path_factory.mktemp("dist")
    # The build folder of the checkout spares compiling other people's crates once more.
    target = os.environ.get("CARGO_TARGET_DIR", str(ROOT / "target"))
    # Files of an sdist have one and the same date, so that cargo would take ours for unchanged.
    ours = [f"--package=llmzip-{name}" for name in ("coders", "predictors", "native")]
    subprocess.run(
        ["cargo", "clean", "--quiet", "--release", "--target-dir", target, *ours],
        cwd=ROOT,
        check=True,
    )
    done = subprocess.run(
        [sys.executable, "-P", "-m", "build", "--outdir", str(folder), str(ROOT)],
        env={**os.environ, "CARGO_TARGET_DIR": target},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    (sdist,) = folder.glob("*.tar.gz")
    (wheel,) = folder.glob("*.whl")
    return sdist, wheel


@pytest.fixture(scope="session")
def sdist(built: tuple[Path, Path]) -> Path:
    return built[0]


@pytest.fixture(scope="session")
def wheel(built: tuple[Path, Path]) -> Path:
    return built[1]
