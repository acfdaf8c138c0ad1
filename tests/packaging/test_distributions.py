"""The sdist and the wheel: what is in them, and that an install from the sdist works."""

from __future__ import annotations

import filecmp
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path, PurePosixPath


def test_wheel_holds_the_package_alone(wheel: Path) -> None:
    assert "-cp311-abi3-" in wheel.name
    names = zipfile.ZipFile(wheel).namelist()
    tops = {PurePosixPath(name).parts[0] for name in names}
    (info,) = tops - {"llmzip"}
    assert info.startswith("llmzip-")
    assert info.endswith(".dist-info")
    libraries = [name for name in names if name.endswith((".so", ".pyd", ".dylib"))]
    assert libraries == ["llmzip/_native.abi3.so"]
    assert {"llmzip/__init__.py", "llmzip/_native.pyi", "llmzip/py.typed"} <= set(names)
    assert f"{info}/licenses/LICENSE" in names
    for page in ("measure/page/measure", "explain/page/explain"):
        assert {f"llmzip/{page}.{kind}" for kind in ("html", "css", "js")} <= set(names)
    assert {PurePosixPath(name).suffix for name in names if name.startswith("llmzip/")} <= {
        *(".css", ".html", ".js"),
        ".py",
        ".pyi",
        ".so",
        ".typed",
        # Manifests and samples of corpora: see below.
        ".toml",
        ".txt",
        ".tab",
        ".tzif",
    }


def test_wheel_holds_the_corpora_of_the_source(wheel: Path, root: Path) -> None:
    source = root / "corpora"
    wanted = {path.name: path for path in source.glob("*.toml")}
    wanted |= {f"samples/{path.name}": path for path in (source / "samples").iterdir()}
    home = "llmzip/corpora/manifests/"
    with zipfile.ZipFile(wheel) as archive:
        names = {name.removeprefix(home) for name in archive.namelist() if name.startswith(home)}
        assert names == wanted.keys()
        for name, path in wanted.items():
            assert archive.read(home + name) == path.read_bytes()


def test_sdist_holds_what_a_build_and_its_tests_need(sdist: Path, root: Path) -> None:
    with tarfile.open(sdist) as archive:
        names = {str(PurePosixPath(*PurePosixPath(name).parts[1:])) for name in archive.getnames()}
    wanted = {
        "Cargo.toml",
        "Cargo.lock",
        "pyproject.toml",
        "README.md",
        "LICENSE",
        "FORMAT.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
        "SECURITY.md",
        "coders/src/lib.rs",
        "predictors/src/lib.rs",
        "native/src/lib.rs",
        "llmzip/__init__.py",
        "tests/run",
        "tests/packaging/conftest.py",
        "tests/fuzz/Cargo.toml",
        "bench/peers.py",
        "corpora/samples.toml",
        "corpora/samples/us-constitution.txt",
        "native/build.rs",
    }
    assert wanted - names == set()
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=root,
        capture_output=True,
        text=True,
    )
    if listed.returncode == 0:
        # In a checkout: no cache, build or other ignored file may slip in.
        made = {"PKG-INFO"}
        assert names - set(listed.stdout.splitlines()) - made == set()
    assert [name for name in names if name.endswith((".so", ".pyc"))] == []
    assert [name for name in names if "target" in PurePosixPath(name).parts] == []


def test_install_from_the_sdist_compresses_a_file(wheel: Path, root: Path, tmp_path: Path) -> None:
    home = tmp_path / "venv"
    venv.create(home, with_pip=True)
    # The wheel was built from the sdist, as pip would have done.
    subprocess.run(
        [home / "bin" / "python", "-m", "pip", "install", "-q", wheel],
        check=True,
        cwd=tmp_path,
    )
    sample = root / "corpora" / "samples" / "us-constitution.txt"
    archive, back = tmp_path / "sample.llmz", tmp_path / "sample.txt"
    program = home / "bin" / "llmzip"
    subprocess.run([program, "-o", archive, sample], check=True, cwd=tmp_path)
    assert 0 < archive.stat().st_size < sample.stat().st_size / 2
    subprocess.run([program, "-d", "-o", back, archive], check=True, cwd=tmp_path)
    assert filecmp.cmp(sample, back, shallow=False)
    shipped = subprocess.run(
        [program, "corpora", "path", "samples"],
        check=True,
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    samples = Path(shipped.stdout.strip())
    assert samples.is_relative_to(home)
    assert filecmp.cmp(sample, samples / sample.name, shallow=False)
    where = subprocess.run(
        [home / "bin" / "python", "-c", "import llmzip; print(llmzip.__file__)"],
        check=True,
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert Path(where.stdout.strip()).is_relative_to(home)
    assert sys.prefix != str(home)
