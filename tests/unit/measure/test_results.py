"""Sums, break-even points and what goes through JSON."""

from __future__ import annotations

import json
import pickle

import pytest

from browser.runs import COMPRESSORS, large, result, run
from llmzip.measure import Cost, Result, Run
from llmzip.measure.rows import csv_text, lines


def small(compressor: str, raw: int, archive: int, file: str = "a", **more: object) -> Result:
    """A result of which the size alone counts."""
    one = Result(file, "0" * 64, raw, compressor, compressor, archive_bytes=archive)
    return one.replace(compress=Cost(2.0, 4.0, 100), decompress=Cost(1.0, 2.0, 200), **more)


def test_sums_are_weighted_and_the_mean_is_not() -> None:
    found = run([small("x", 1000, 500), small("x", 3000, 300, "b")])
    (total,) = found.totals()
    assert (total.files, total.raw_bytes, total.archive_bytes) == (2, 4000, 800)
    assert total.bits_per_byte == pytest.approx(1.6)
    assert total.mean_bits_per_byte == pytest.approx((4 + 0.8) / 2)
    assert total.compress == Cost(4.0, 8.0, 100) and total.decompress == Cost(2.0, 4.0, 200)


def test_one_failure_spoils_a_sum_and_no_other() -> None:
    bad = small("x", 3000, 0, "b", status="exit 1")
    found = run([small("x", 1000, 500), bad, small("y", 1000, 600), small("y", 3000, 700, "b")])
    good, spoilt = found.totals()
    assert good.ok and good.compressor == "y"
    assert (spoilt.status, spoilt.archive_bytes) == ("b: exit 1", 0)


def test_checks_are_in_no_sum() -> None:
    found = run([small("x", 1000, 500), small("x", 64, 70, "random", check=True)])
    assert found.totals()[0].raw_bytes == 1000
    assert [one.file for one in found.checks()] == ["random"]


def test_break_even() -> None:
    free, worse = small("free", 1000, 500), small("worse", 1000, 900)
    learned = small("learned", 1000, 250, model="m", model_bytes=10_000)
    found = run([free, worse, learned])
    # Two bits of four are saved on each byte: 80,000 bits of model after 40,000 bytes.
    assert found.break_even(learned) == 40_000
    assert found.break_even(free) is None
    totals = {total.compressor: total for total in found.totals()}
    assert totals["learned"].break_even == 40_000 and totals["learned"].adjusted_bytes == 10_250
    never = small("learned", 1000, 500, model="m", model_bytes=10_000)
    assert run([free, never]).break_even(never) is None
    alone = run([learned])
    assert alone.break_even(learned) is None


def test_a_model_counts_once_in_a_sum() -> None:
    own = [small("m", 1000, 100, name, model="m", model_bytes=5000) for name in "abc"]
    (total,) = run(own).totals()
    assert total.adjusted_bytes == 300 + 5000


def test_through_json_and_pickle() -> None:
    found = large(3)
    facts = json.loads(json.dumps(found.as_dict()))
    assert Run.from_dict(facts) == found
    assert pickle.loads(pickle.dumps(found)) == found
    first = facts["results"][0]
    assert first["bits_per_byte"] == pytest.approx(found.results[0].bits_per_byte, abs=1e-6)
    assert first["break_even"] == found.break_even(found.results[0])
    assert [total["spec"] for total in facts["totals"]] == [one.spec for one in found.totals()]


@pytest.mark.parametrize("wrong", [{}, {"results": 3}, {"results": [{"file": "a"}]}])
def test_what_is_no_run_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        Run.from_dict(wrong)


def test_names_cannot_steer_the_terminal_nor_break_a_row() -> None:
    found = run([result(*COMPRESSORS[0], 0, file="a\x1b[2J\nb")])
    assert "\x1b" not in "\n".join(lines(found, each=True))
    assert len(csv_text(found).splitlines()) == 2
