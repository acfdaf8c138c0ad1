"""The package itself: names, imports, one-shot functions, segments as plain functions."""

from __future__ import annotations

import array
import pickle
import resource
import subprocess
import sys

import pytest

import llmzip
from llmzip import Options, SegmentSettings, decode_segment, decompress, encode_segment
from llmzip.errors import CorruptError, LimitError, LlmzError, TruncatedError, UsageError


def run(program: str) -> str:
    command = [sys.executable, "-P", "-c", program]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_every_public_name_is_there():
    for name in llmzip.__all__:
        assert getattr(llmzip, name) is not None
    assert set(llmzip.__all__) <= set(dir(llmzip))
    with pytest.raises(AttributeError, match="nonsense"):
        llmzip.nonsense  # noqa: B018


def test_the_version_is_the_packages():
    from importlib.metadata import version

    assert llmzip.__version__ == version("llmzip")


def test_info_is_the_function_in_any_order_of_imports():
    program = (
        "import llmzip.info, llmzip.describe; from llmzip.info import Info, info; import llmzip;"
    )
    assert run(program + "print(llmzip.info is info, Info.__name__)").split() == ["True", "Info"]


def test_importing_is_light():
    heavy = "{'torch', 'numpy', 'click', 'json', 'dataclasses', 'concurrent.futures', 'typing'}"
    assert run(f"import sys, llmzip; print(sorted({heavy} & set(sys.modules)))").strip() == "[]"


def test_importing_is_quick():
    def seconds(program: str) -> float:
        # Of the processor: other work on the machine must not count.
        began = resource.getrusage(resource.RUSAGE_CHILDREN)
        run(program)
        ended = resource.getrusage(resource.RUSAGE_CHILDREN)
        return ended.ru_utime + ended.ru_stime - began.ru_utime - began.ru_stime

    bare = min(seconds("pass") for _ in range(7))
    assert min(seconds("import llmzip") for _ in range(7)) - bare < 0.060


def test_a_missing_native_module_says_what_to_do():
    program = (
        "import sys; sys.modules['llmzip._native'] = None\n"
        "try:\n    import llmzip\nexcept ImportError as error:\n    print(error)"
    )
    assert "pip install -e ." in run(program)


@pytest.mark.parametrize(
    "kind", [bytes, bytearray, memoryview, lambda data: array.array("H", data)]
)
def test_any_buffer_is_taken(content, options, archive, kind):
    data = kind(content)
    assert llmzip.compress(data, options=options) == archive
    assert decompress(kind(archive) if len(archive) % 2 == 0 else bytearray(archive)) == content
    settings = SegmentSettings(level=1)
    assert decode_segment(encode_segment(bytes(content), settings), settings) == content


@pytest.mark.parametrize("level", range(1, 10))
def test_every_level(content, level):
    assert decompress(llmzip.compress(content[:9000], level)) == content[:9000]


def test_levels_and_options_exclude_each_other():
    with pytest.raises(UsageError):
        llmzip.compress(b"", 3, options=Options())
    with pytest.raises(UsageError):
        llmzip.compress(b"", 10)


def test_max_output():
    bomb = llmzip.compress(bytes((64 << 20) + 1), 1)
    with pytest.raises(LimitError, match="max_output"):
        decompress(bomb)
    assert len(decompress(bomb, max_output=None)) == (64 << 20) + 1
    with pytest.raises(LimitError):
        decompress(bomb, max_output=None, limits=llmzip.Limits(max_output=5))
    twice = llmzip.compress(b"abc") * 2
    assert decompress(twice, max_output=6) == b"abcabc"
    with pytest.raises(LimitError):
        decompress(twice, max_output=5)
    assert decompress(llmzip.compress(b""), max_output=0) == b""


def test_settings_and_options_pickle(content):
    for value in (SegmentSettings(level=3, seq=9), Options(level=2, comment="x"), llmzip.Limits()):
        assert pickle.loads(pickle.dumps(value)) == value
    segment = encode_segment(content, SegmentSettings(level=3, seq=9))
    assert segment == encode_segment(content, pickle.loads(pickle.dumps(SegmentSettings(3, seq=9))))


def test_a_segment_is_the_archives(content, archive, options):
    [info] = llmzip.info(__import__("io").BytesIO(archive)).archives
    settings = SegmentSettings(level=1)
    for segment in info.segments:
        start = segment.seq * 5000
        coded = encode_segment(content[start : start + 5000], settings.replace(seq=segment.seq))
        assert archive[segment.offset : segment.offset + segment.length] == coded


def test_segments_are_held_to_their_settings(content):
    settings = SegmentSettings(level=1, seq=4)
    coded = encode_segment(content, settings)
    with pytest.raises(CorruptError, match="segment 4 stands where 5 should"):
        decode_segment(coded, settings.replace(seq=5))
    with pytest.raises(TruncatedError):
        decode_segment(coded[:-1], settings)
    with pytest.raises(CorruptError, match="follow"):
        decode_segment(coded + b"x", settings)
    with pytest.raises(CorruptError, match="no segment begins"):
        decode_segment(b"nope" + coded, settings)
    with pytest.raises(LimitError):
        decode_segment(coded, settings, llmzip.Limits(max_output=len(content) - 1))
    with pytest.raises(LimitError):
        decode_segment(coded, settings, llmzip.Limits(decoder_memory=10))
    other = SegmentSettings(level=1, predictor="store", seq=4)
    with pytest.raises(LlmzError):
        decode_segment(coded, other)
    with pytest.raises(UsageError, match="not among"):
        encode_segment(content, settings.replace(predictors=other.predictors))
    for wrong in ({"level": 0}, {"seq": -1}, {"predictor": "magic"}):
        with pytest.raises(UsageError):
            SegmentSettings(**wrong)
    with pytest.raises(UsageError, match="at least one byte"):
        encode_segment(b"", settings)
