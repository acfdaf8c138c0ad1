"""Plain values: what they take, that they compare and pickle, and that they do not change."""

from __future__ import annotations

import copy
import pickle

import pytest

import llmzip
from llmzip.record import Record


class Point(Record):
    x: int
    y: int = 7
    name: str = ""

    def __post_init__(self) -> None:
        if self.x < 0:
            raise ValueError("negative")


class Line(Record):
    points: tuple[Point, ...]
    end: Point


def test_fields_by_position_by_name_and_by_default():
    assert Point(1, 2, "a") == Point(x=1, y=2, name="a") == Point(1, name="a", y=2)
    point = Point(3)
    assert (point.x, point.y, point.name) == (3, 7, "")


@pytest.mark.parametrize(
    ("values", "named", "wrong"),
    [
        ((), {}, "'x' is missing"),
        ((), {"y": 1}, "'x' is missing"),
        ((1, 2, "", 4), {}, "has 3 fields, not 4"),
        ((1,), {"x": 1}, "'x' was given twice"),
        ((1,), {"z": 1}, "'z' does not exist"),
        ((1,), {"replace": 1}, "'replace' does not exist"),
    ],
)
def test_wrong_fields(values, named, wrong):
    with pytest.raises(TypeError, match=f"Point.* {wrong}"):
        Point(*values, **named)


def test_values_are_refused_when_made_and_when_replaced():
    with pytest.raises(ValueError, match="negative"):
        Point(-1)
    with pytest.raises(ValueError, match="negative"):
        Point(1).replace(x=-1)


def test_equal_by_class_and_fields():
    assert Point(1) != Point(2)
    assert Point(1) != (1, 7, "")
    assert llmzip.Limits(5, None) != llmzip.Options(5, None)
    assert len({Point(1), Point(1, 7), Point(2)}) == 2


def test_shown_as_it_is_written():
    assert repr(Point(1, name="a")) == "Point(x=1, y=7, name='a')"


def test_does_not_change():
    point = Point(1)
    with pytest.raises(AttributeError, match="does not change"):
        point.x = 2
    with pytest.raises(AttributeError, match="does not change"):
        point.z = 2
    with pytest.raises(AttributeError, match="does not change"):
        del point.x
    other = point.replace(y=8)
    assert (other, point) == (Point(1, 8), Point(1, 7))
    with pytest.raises(TypeError, match="'z' does not exist"):
        point.replace(z=1)


def test_copies_and_pickles():
    line = Line((Point(1), Point(2)), end=Point(3))
    for same in (copy.copy(line), copy.deepcopy(line), pickle.loads(pickle.dumps(line))):
        assert same == line
        assert type(same) is Line


def test_as_dict_goes_into_tuples():
    point = {"x": 1, "y": 7, "name": ""}
    assert Line((Point(1), Point(1)), Point(1)).as_dict() == {
        "points": (point, point),
        "end": point,
    }
