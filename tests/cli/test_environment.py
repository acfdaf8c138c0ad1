"""What the environment can ask for."""

import pytest


@pytest.mark.parametrize("level", ["-3", "-8"])
def test_a_kernel_level_that_is_not_here_is_refused_in_one_line(llmzip, level):
    (llmzip.folder / "a.txt").write_bytes(b"some text, and some more text\n" * 40)
    done = llmzip(level, "a.txt", code=3, env={"LLMZIP_SIMD": "abacus"})
    assert done.stderr.count(b"\n") == 1
    assert b"a.txt" in done.stderr and b"LLMZIP_SIMD" in done.stderr
    assert not (llmzip.folder / "a.txt.llmz").exists()


def test_kernel_levels_do_not_change_the_archive(llmzip):
    (llmzip.folder / "a.txt").write_bytes(b"some text, and some more text\n" * 40)
    llmzip("a.txt", env={"LLMZIP_SIMD": "scalar"})
    scalar = (llmzip.folder / "a.txt.llmz").read_bytes()
    llmzip("-f", "a.txt")
    assert (llmzip.folder / "a.txt.llmz").read_bytes() == scalar
