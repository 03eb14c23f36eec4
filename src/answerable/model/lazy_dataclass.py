"""The `dataclass` decorator, with methods that are compiled at their first use.

`dataclasses.dataclass` compiles up to seven functions for each class, which takes
0.4 ms. A command defines about 170 classes, and calls the methods of a few. This
decorator gives a class with slots placeholders; a placeholder calls
`dataclasses.dataclass` and replaces itself with the result. Classes without slots and
classes that inherit get their methods at once.
"""

import dataclasses
import sys
from typing import TYPE_CHECKING, Any, ClassVar, Generic, get_origin

if TYPE_CHECKING or sys.version_info >= (3, 14):  # annotations are functions there
    from dataclasses import dataclass as dataclass
else:

    def dataclass(cls: type | None = None, /, **options: bool) -> Any:
        """Make a dataclass; the options are those of `dataclasses.dataclass`."""

        def decorate(plain: type) -> type:
            if _is_deferrable(plain, options):
                return _DeferredMethods(plain, options).made
            return dataclasses.dataclass(**options)(plain)

        return decorate if cls is None else decorate(cls)


_OPTIONS = {"slots", "frozen", "eq", "repr"}
_BASES = ((object,), (Generic,))
_GENERATED = {
    "__init__",
    "__eq__",
    "__hash__",
    "__setattr__",
    "__delattr__",
    "__getstate__",
    "__setstate__",
    "__slots__",
}
_OF_INIT = ("__init__", "__dataclass_fields__", "__dataclass_params__")


def _is_deferrable(plain: type, options: dict[str, bool]) -> bool:
    """Whether the methods follow from the annotations of this class alone."""
    own = plain.__dict__
    return (
        options.get("slots", False)
        and options.keys() <= _OPTIONS
        and plain.__bases__ in _BASES
        and not _GENERATED & own.keys()
        and not (options.get("repr", True) and "__repr__" in own)
        and not any(map(_is_special, own.get("__annotations__", {}).values()))
    )


def _is_special(annotation: object) -> bool:
    """Whether `dataclasses` does not take the annotation as that of a plain field."""
    if isinstance(annotation, str):
        return any(each in annotation for each in ("ClassVar", "InitVar", "KW_ONLY"))
    return (
        isinstance(annotation, dataclasses.InitVar)
        or annotation in (dataclasses.KW_ONLY, dataclasses.InitVar, ClassVar)
        or get_origin(annotation) is ClassVar
    )


class _DeferredMethods:
    """A dataclass with slots, and what its methods are compiled from.

    Two threads may compile the same methods: the results are equal, and the second
    replaces the first.
    """

    def __init__(self, plain: type, options: dict[str, bool]) -> None:
        """Make the class from the decorated one."""
        self._frozen = options.get("frozen", False)
        self._eq = options.get("eq", True)
        self._repr = options.get("repr", True)
        self._source = dict(plain.__dict__)
        for name in ("__dict__", "__weakref__"):
            self._source.pop(name, None)
        self.made = self._make_class(plain)

    def _make_class(self, plain: type) -> type:
        names = tuple(self._source.get("__annotations__", ()))
        namespace = {k: v for k, v in self._source.items() if k not in names}
        namespace["__slots__"] = names
        namespace["__match_args__"] = tuple(filter(self._is_positional, names))
        namespace |= {name: _DeferredAttribute(name, self) for name in _OF_INIT[1:]}
        namespace |= {name: self._placeholder(name) for name in self._method_names()}
        if self._frozen:
            namespace |= _frozen_methods(names)
        elif self._eq:
            namespace["__hash__"] = None
        made = type(plain)(plain.__name__, plain.__bases__, namespace)
        made.__qualname__ = plain.__qualname__
        return made

    def _is_positional(self, name: str) -> bool:
        default = self._source.get(name)
        if not isinstance(default, dataclasses.Field):
            return True
        return default.init and default.kw_only is not True

    def _method_names(self) -> list[str]:
        hashed = self._eq and self._frozen
        return [
            "__init__",
            *["__repr__"] * self._repr,
            *["__eq__"] * self._eq,
            *["__hash__"] * hashed,
        ]

    def _placeholder(self, name: str) -> Any:
        def call_compiled(instance: object, *args: Any, **keywords: Any) -> Any:
            return self.compile(name)(instance, *args, **keywords)

        return call_compiled

    def compile(self, name: str) -> Any:
        """Compile `__init__` and the fields, or all other methods; return one."""
        if name in _OF_INIT:
            names = list(_OF_INIT)
            decorate = dataclasses.dataclass(
                slots=True, frozen=self._frozen, eq=False, repr=False
            )
        else:
            names = self._method_names()[1:]
            hashed = self._eq and self._frozen
            decorate = dataclasses.dataclass(
                init=False, eq=self._eq, repr=self._repr, unsafe_hash=hashed
            )
        made = self.made
        plain = type(made)(made.__name__, made.__bases__, self._source)
        compiled: type = decorate(plain)
        for each in names:
            setattr(made, each, compiled.__dict__[each])
        return made.__dict__[name]


class _DeferredAttribute:
    """An attribute of the class that is computed when it is read."""

    def __init__(self, name: str, methods: _DeferredMethods) -> None:
        self._name = name
        self._methods = methods

    def __get__(self, instance: object, owner: type) -> Any:
        return self._methods.compile(self._name)


def _frozen_methods(names: tuple[str, ...]) -> dict[str, Any]:
    """Methods of a frozen class, which need no code of their own."""

    def set_attribute(instance: object, name: str, value: object) -> None:
        if name in names:
            raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")
        object.__setattr__(instance, name, value)

    def delete_attribute(instance: object, name: str) -> None:
        if name in names:
            raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")
        object.__delattr__(instance, name)

    def get_state(instance: object) -> list[object]:
        return [getattr(instance, name) for name in names]

    def set_state(instance: object, state: list[object]) -> None:
        for name, value in zip(names, state, strict=True):
            object.__setattr__(instance, name, value)

    return {
        "__setattr__": set_attribute,
        "__delattr__": delete_attribute,
        "__getstate__": get_state,
        "__setstate__": set_state,
    }
