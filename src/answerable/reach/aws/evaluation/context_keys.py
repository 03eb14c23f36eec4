"""Known condition keys of a request, and policy variables.

A key is known with values, known to be absent, or not known. Only the last leaves a
condition open.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from answerable.reach.aws.patterns.globs import ANY_TEXT, encode_glob, encode_literal

ABSENT_KEY: tuple[str, ...] = ()
_COLON = "\ue003"


@dataclass(frozen=True, slots=True)
class ContextKeys:
    """Known condition keys of a request.

    Attributes:
        values: By key in lower case; an empty tuple says the key is absent.
        complete: Prefixes in lower case (`aws:principaltag/`) under which every key
            that is not in `values` is known to be absent.
    """

    values: Mapping[str, tuple[str, ...]]
    complete: tuple[str, ...] = ()

    def get(self, key: str) -> tuple[str, ...] | None:
        """Return the values, `ABSENT_KEY`, or None when not known."""
        folded = key.lower()
        found = self.values.get(folded)
        if found is None and folded.startswith(self.complete):
            return ABSENT_KEY
        return found

    def merge_over(self, below: "ContextKeys") -> "ContextKeys":
        """Return the union with another set of keys; the values of `self` win."""
        if not self.values and not self.complete:
            return below
        if not below.values and not below.complete:
            return self
        return ContextKeys(
            {**below.values, **self.values}, self.complete + below.complete
        )


NO_KEYS = ContextKeys({})


def select_session_keys(given: ContextKeys) -> ContextKeys:
    """Select the keys that hold for every call of a path: network, session, claims.

    Keys of the principal, the resource or an action's arguments belong to the call
    that was asked about.
    """
    kept = {key: value for key, value in given.values.items() if _is_session_key(key)}
    return ContextKeys(kept) if kept else NO_KEYS


_CALL_KEY_PREFIXES = ("aws:principal", "aws:resource", "aws:requesttag", "aws:tagkeys")


def _is_session_key(key: str) -> bool:
    service, _, _ = key.partition(":")
    if key.startswith(_CALL_KEY_PREFIXES) or key in ("aws:username", "aws:userid"):
        return False
    return service in ("aws", "sts") or "." in service


@dataclass(frozen=True, slots=True)
class ResolvedPattern:
    """Text with policy variables resolved as far as their keys are known.

    Attributes:
        pattern: Inner glob form, with `*` for an unknown variable.
        unknown: Keys of variables that are not known.
        void: True if a variable is known to be absent and has no default: the
            element then matches nothing.
    """

    pattern: str
    unknown: tuple[str, ...]
    void: bool


def has_variable(text: str) -> bool:
    """Tell whether a text may hold a policy variable."""
    return "${" in text


def resolve_variables(
    text: str, known: ContextKeys, *, wild: bool = True
) -> ResolvedPattern:
    """Resolve policy variables.

    Source: AWS IAM User Guide, "IAM policy elements: Variables and tags".

    Args:
        text: As written.
        known: Known keys of the request.
        wild: Whether `*` and `?` in the text are wildcards or letters.
    """
    plain = encode_glob if wild else encode_literal
    if not has_variable(text):
        return ResolvedPattern(plain(text), (), False)
    out: list[str] = []
    unknown: list[str] = []
    void = False
    rest = text
    while rest:
        head, opened, tail = rest.partition("${")
        inside, closed, rest = tail.partition("}")
        if not closed:
            out.append(plain(head + opened + inside))
            break
        out.append(plain(head))
        if inside in ("*", "?", "$"):
            out.append(inside)
            continue
        key, default = _parse_variable(inside)
        values = known.get(key)
        if values is None:
            out.append(ANY_TEXT)
            unknown.append(key)
        elif len(values) == 1 or default is not None:
            chosen = values[0] if len(values) == 1 else default or ""
            out.append(encode_literal(chosen).replace(":", _COLON))
        else:
            void = True
    return ResolvedPattern("".join(out), tuple(dict.fromkeys(unknown)), void)


def split_arn_pattern(pattern: str) -> tuple[str, ...]:
    """Split an inner ARN pattern into six parts, `*` for missing ones.

    Source: AWS IAM User Guide, "Resource" ("Incomplete ARNs").
    """
    parts = pattern.split(":", 5)
    parts += [ANY_TEXT] * (6 - len(parts))
    if _COLON not in pattern:
        return tuple(parts)
    return tuple(part.replace(_COLON, ":") for part in parts)


def join_colons(pattern: str) -> str:
    """Return an inner pattern as one text."""
    return pattern.replace(_COLON, ":")


def _parse_variable(inside: str) -> tuple[str, str | None]:
    key, comma, default = inside.partition(",")
    if not comma:
        return key.strip(), None
    return key.strip(), default.strip().removeprefix("'").removesuffix("'")
