"""Parse environment files (`.env`, `envFile`, `docker --env-file`)."""

from dataclasses import dataclass

VARIABLES_LIMIT = 5_000


@dataclass(frozen=True, slots=True, repr=False)
class DotenvVariable:
    """Variable of an environment file; the value stays out of the repr."""

    name: str
    value: str
    line: int

    def __repr__(self) -> str:
        return f"Variable({self.name!r}, line {self.line})"


# Templates are there to be copied and hold no value of anybody's.
_TEMPLATES = ("example", "sample", "template", "dist", "defaults", "schema", "vault")


def is_env_file(name: str) -> bool:
    """Return whether a file is an environment file by its name (`.env`, `.env.local`)."""
    if name in (".env", ".envrc"):
        return True
    return name.startswith(".env.") and not name.endswith(_TEMPLATES)


def parse_dotenv(text: str) -> tuple[DotenvVariable, ...]:
    """Parse an environment file; lines without an assignment are skipped.

    Quotes around a value are removed; an inline comment after a blank is removed from
    an unquoted value. Nothing is expanded.
    """
    found: list[DotenvVariable] = []
    for number, raw in enumerate(text.split("\n"), 1):
        line = raw.strip().removeprefix("export ").lstrip()
        name, equals, value = line.partition("=")
        name = name.strip()
        if not equals or not name or name[0] == "#":
            continue
        if len(found) < VARIABLES_LIMIT:
            found.append(DotenvVariable(name, _unquote_value(value.strip()), number))
    return tuple(found)


def _unquote_value(value: str) -> str:
    """Remove quotes or a trailing comment from a value."""
    if value[:1] in ("'", '"'):
        stop = value.find(value[0], 1)
        return value[1:stop] if stop > 0 else value[1:]
    return value.partition(" #")[0].rstrip()
