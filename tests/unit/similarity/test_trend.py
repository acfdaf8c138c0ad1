"""Periods, bootstrap bands, and where dates are found."""

from __future__ import annotations

import random
from datetime import date

import pytest

from llmzip.errors import UsageError
from llmzip.similarity.codelength import code_length
from llmzip.similarity.dates import of_name, parse
from llmzip.similarity.documents import DocumentError
from llmzip.similarity.trend import Dated, bootstrap, ordinal, period, period_of, trend


def units(count: int, seed: int = 0) -> list[tuple[float, int]]:
    draw = random.Random(seed)
    return [(draw.gauss(2.0, 0.5) * 100, 100) for _ in range(count)]


def test_the_bootstrap_is_the_same_for_the_same_documents():
    assert bootstrap(units(30), 50, "a") == bootstrap(units(30), 50, "a")
    assert bootstrap(units(30), 50, "a") != bootstrap(units(30), 50, "b")
    assert period("a", units(30), 100) == period("a", units(30), 100)


def test_a_band_is_as_wide_as_theory_says():
    # The standard error of a mean of 100 with deviation 0.5 is 0.05; a band has 3.92 of them.
    found = period("a", units(100), 1000)
    assert found.low < found.mean < found.high
    assert found.high - found.low == pytest.approx(3.92 * 0.05, rel=0.25)


def test_a_band_holds_the_truth_about_as_often_as_it_says():
    held = 0
    for seed in range(100):
        found = period(str(seed), units(60, seed), 200)
        held += found.low <= 2.0 <= found.high
    assert 86 <= held <= 100


def test_many_documents_are_put_together_first():
    found = period("a", units(5000), 100)
    assert found.documents == 5000
    assert found.high - found.low == pytest.approx(3.92 * 0.5 / 5000**0.5, rel=0.35)


def test_means_weigh_bytes():
    assert period("a", [(10.0, 10), (900.0, 300)], 10).mean == 910 / 310


def test_a_prime_and_a_cutoff():
    text = b"all work and no play makes jack a dull boy\n"
    documents = [Dated(str(n), date(2024, 1 + n, 1), text * 5) for n in range(4)]
    way = code_length("cm", level=3, samples=[text])
    alone = trend(documents, way, resamples=20, cutoff=date(2024, 3, 1))
    primed = trend(documents, way, resamples=20, prime=text * 10)
    assert primed.all.mean < 0.3 * alone.all.mean
    assert alone.change is not None and primed.change is None
    assert (alone.change.before.documents, alone.change.after.documents) == (2, 2)
    assert alone.change.difference == 0
    with pytest.raises(UsageError, match="before 2024-01-01"):
        trend(documents, way, cutoff=date(2024, 1, 1))
    with pytest.raises(UsageError, match="no documents"):
        trend([], way)


@pytest.mark.parametrize(
    ("by", "name", "next_name"),
    [("month", "2023-12", "2024-01"), ("quarter", "2023-Q4", "2024-Q1"), ("year", "2023", "2024")],
)
def test_periods(by, name, next_name):
    assert period_of(date(2023, 12, 31), by) == name
    assert period_of(date(2024, 1, 1), by) == next_name
    assert name < next_name and ordinal(next_name) == ordinal(name) + 1


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("news/2024-05-17.txt", (2024, 5, 17)),
        ("news-2024-05.txt", (2024, 5, 1)),
        ("20240517-report", (2024, 5, 17)),
        ("2023/a_2024_05_17_b", (2024, 5, 17)),
        ("2024-05/x.txt", (2024, 5, 1)),
        ("v1234-99-2024.05.17", (2024, 5, 17)),
        ("2024-01-01_to_2024-02-03", (2024, 2, 3)),
    ],
)
def test_dates_in_names(name, found):
    assert of_name(name) == date(*found)


@pytest.mark.parametrize("name", ["notes.txt", "2024-13-01", "12024-05-17", "2024", "202405170"])
def test_names_without_a_date(name):
    with pytest.raises(DocumentError, match="mtime"):
        of_name(name)


def test_dates_in_json():
    assert parse("2024-05-17T10:00:00Z") == parse("2024-05-17 10:00") == date(2024, 5, 17)
    assert parse("2024-05") == date(2024, 5, 1) and parse("2024") == date(2024, 1, 1)
    for wrong in ("17.05.2024", "2024-02-30", "", "2024-05-17x", "soon"):
        with pytest.raises(DocumentError, match="is no date"):
            parse(wrong)
