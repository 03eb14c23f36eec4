"""Dataclasses with deferred methods behave like those of the standard library."""

import copy
import dataclasses
from collections.abc import Callable
from typing import Any, ClassVar

import msgspec
import pytest

from answerable.model import lazy_dataclass

DECORATORS = (dataclasses.dataclass, lazy_dataclass.dataclass)


def make(decorate: Any, **options: bool) -> Any:
    @decorate(slots=True, **options)
    class Point:
        x: int
        y: list[int] = dataclasses.field(default_factory=list)
        z: str = dataclasses.field(default="z", repr=False, compare=False)
        cached: int | None = dataclasses.field(default=None, init=False)

        def __post_init__(self) -> None:
            if self.x < 0:
                raise ValueError("x")

    return Point


USES: dict[str, Callable[[Any], object]] = {
    "repr": lambda cls: repr(cls(1)).rpartition("at 0x")[0],
    "equal with another uncompared field": lambda cls: cls(1) == cls(1, z="other"),
    "unequal": lambda cls: cls(1, [2]) == cls(1, [3]),
    "unequal to a tuple": lambda cls: cls(1) == (1, []),
    "default factory": lambda cls: (cls(1).y, cls(1).y is cls(1).y),
    "field without parameter": lambda cls: cls(1).cached,
    "missing argument": lambda cls: cls(),
    "post init": lambda cls: cls(-1),
    "equal hashes": lambda cls: len({cls(1, ()), cls(1, ())}),
    "unhashable field": lambda cls: type(hash(cls(1))),
    "set a field": lambda cls: setattr(cls(1), "x", 2),
    "delete a field": lambda cls: delattr(cls(1), "x"),
    "replace": lambda cls: dataclasses.replace(cls(1), x=3).x,
    "asdict": lambda cls: dataclasses.asdict(cls(1)),
    "fields": lambda cls: [(f.name, f.type) for f in dataclasses.fields(cls)],
    "params": lambda cls: cls.__dataclass_params__.frozen,
    "class attributes": lambda cls: (
        dataclasses.is_dataclass(cls),
        cls.__slots__,
        cls.__match_args__,
    ),
    "copy": lambda cls: copy.copy(cls(1, [2])).y,
    "encode": lambda cls: msgspec.json.encode(cls(1)),
    "decode": lambda cls: msgspec.json.decode(b'{"x":4}', type=cls).x,
    "hash is None": lambda cls: cls.__hash__ is None,
    "qualified name": lambda cls: cls.__qualname__,
}


@pytest.mark.parametrize("options", [{}, {"frozen": True}, {"eq": False}], ids=str)
@pytest.mark.parametrize("use", USES)
def test_each_use_has_the_result_of_the_standard_decorator(
    use: str, options: dict[str, bool]
) -> None:
    results = []
    for decorate in DECORATORS:
        try:
            results.append(repr(USES[use](make(decorate, **options))))
        except (TypeError, ValueError, AttributeError) as error:
            results.append(f"{type(error).__mro__[-4:]}")
    assert results[0] == results[1]


@lazy_dataclass.dataclass(frozen=True, slots=True)
class Base:
    x: int


@lazy_dataclass.dataclass(frozen=True, slots=True)
class Derived(Base):
    y: int
    KIND: ClassVar[str] = "derived"


@lazy_dataclass.dataclass(frozen=True, slots=True, repr=False)
class Secret:
    value: str

    def __repr__(self) -> str:
        return "Secret(...)"


def test_a_class_inherits_from_one_with_deferred_methods() -> None:
    made = Derived(1, 2)
    assert (made.x, made.y, Derived.KIND, made == Derived(1, 2)) == (
        1,
        2,
        "derived",
        True,
    )
    assert repr(made) == "Derived(x=1, y=2)"
    with pytest.raises(dataclasses.FrozenInstanceError):
        made.x = 2  # type: ignore[misc]


def test_a_frozen_object_is_copied_whole() -> None:
    held = [Base(1), Derived(1, 2)]
    assert copy.deepcopy(held) == held


def test_an_own_repr_is_kept() -> None:
    assert f"{Secret('s')}" == "Secret(...)"
    assert Secret("s") == Secret("s")
