"""Parse INI files of the AWS CLI, git and npm.

An indented line below `name =` is a nested setting (AWS config) or a setting of a
section (git config); both are parsed as `name` of that section.
"""

from dataclasses import dataclass

SETTINGS_LIMIT = 20_000


@dataclass(frozen=True, slots=True, repr=False)
class IniSetting:
    """Setting of one `name = value` line.

    Attributes:
        section: Text between the brackets, empty before the first section.
        name: Name, folded to lower case.
        value: Value without surrounding blanks; kept out of the repr.
        line: Line number, from 1.
    """

    section: str
    name: str
    value: str
    line: int

    def __repr__(self) -> str:
        return f"Setting({self.section!r}, {self.name!r}, line {self.line})"


def parse_ini(text: str) -> tuple[IniSetting, ...]:
    """Parse INI text; lines without a setting are skipped.

    Returns:
        Settings in file order, at most SETTINGS_LIMIT; of a repeated name the last one
        counts.
    """
    found: list[IniSetting] = []
    section = ""
    for number, raw in enumerate(text.split("\n"), 1):
        line = raw.strip()
        if not line or line[0] in "#;":
            continue
        if line[0] == "[" and "]" in line:
            section = line[1 : line.index("]")].strip()
            continue
        name, equals, value = line.partition("=")
        if equals and len(found) < SETTINGS_LIMIT:
            bare = value.strip().removesuffix("\r")
            found.append(IniSetting(section, name.strip().lower(), bare, number))
    return tuple(found)


def group_by_section(
    settings: tuple[IniSetting, ...],
) -> dict[str, dict[str, IniSetting]]:
    """Group settings by section, in file order; of a repeated name the last counts."""
    grouped: dict[str, dict[str, IniSetting]] = {}
    for setting in settings:
        grouped.setdefault(setting.section, {})[setting.name] = setting
    return grouped


def find_unclosed_section(text: str) -> int:
    """Return the number of the first line with an unclosed section, or 0."""
    lines = enumerate(text.split("\n"), 1)
    unclosed = (n for n, line in lines if line.strip()[:1] == "[" and "]" not in line)
    return next(unclosed, 0)
