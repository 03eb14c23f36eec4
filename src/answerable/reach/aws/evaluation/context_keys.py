"""Look up the known condition keys of a request, and resolve policy variables.

A key is known with values, known to be absent, or not known. Only the last leaves a
condition open.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from answerable.reach.aws.patterns.glob_matching import (
    ANY_TEXT,
    encode_glob,
    encode_literal,
)

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

    def get_key_values(self, key: str) -> tuple[str, ...] | None:
        """Return a key's values, `ABSENT_KEY`, or None when not known."""
        folded = key.lower()
        found = self.values.get(folded)
        if found is None and folded.startswith(self.complete):
            return ABSENT_KEY
        return found

    def merge_over(self, other: "ContextKeys") -> "ContextKeys":
        """Return the union with other keys; the values of `self` win."""
        if not self.values and not self.complete:
            return other
        if not other.values and not other.complete:
            return self
        return ContextKeys(
            {**other.values, **self.values}, self.complete + other.complete
        )


NO_KEYS = ContextKeys({})


def select_session_keys(stated_keys: ContextKeys) -> ContextKeys:
    """Select the keys that hold for every call of a path: network, session, claims.

    Keys of the principal, the resource or an action's arguments belong to the call
    that was asked about.
    """
    kept = {
        key: value
        for key, value in stated_keys.values.items()
        if _holds_for_whole_session(key)
    }
    return ContextKeys(kept) if kept else NO_KEYS


_CALL_KEY_PREFIXES = ("aws:principal", "aws:resource", "aws:requesttag", "aws:tagkeys")


def _holds_for_whole_session(key: str) -> bool:
    """Return whether a stated key holds for a whole session, not for one call."""
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


def has_policy_variable(text: str) -> bool:
    """Return whether a text may hold a policy variable."""
    return "${" in text


def resolve_policy_variables(
    text: str, known_keys: ContextKeys, *, wildcards: bool = True
) -> ResolvedPattern:
    """Replace policy variables in a text by the request's known values.

    Source: AWS IAM User Guide, "IAM policy elements: Variables and tags".

    Args:
        text: As written.
        known_keys: Known keys of the request.
        wildcards: Whether `*` and `?` in the text are wildcards or letters.
    """
    plain = encode_glob if wildcards else encode_literal
    if not has_policy_variable(text):
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
        key, default = _parse_policy_variable(inside)
        values = known_keys.get_key_values(key)
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
    """Split an encoded ARN pattern into six parts, `*` for missing ones.

    Source: AWS IAM User Guide, "Resource" ("Incomplete ARNs").
    """
    parts = pattern.split(":", 5)
    parts += [ANY_TEXT] * (6 - len(parts))
    if _COLON not in pattern:
        return tuple(parts)
    return tuple(part.replace(_COLON, ":") for part in parts)


def unescape_pattern_colons(pattern: str) -> str:
    """Restore the escaped colons of an encoded pattern."""
    return pattern.replace(_COLON, ":")


def _parse_policy_variable(text: str) -> tuple[str, str | None]:
    """Parse a policy variable into its key and its default value."""
    key, comma, default = text.partition(",")
    if not comma:
        return key.strip(), None
    return key.strip(), default.strip().removeprefix("'").removesuffix("'")
