"""Pages of the rules and the table of `docs/findings.md`, derived from the catalogue.

`python -m tests.posture.rule_pages` rewrites them; a test compares them.
"""

import re
from pathlib import Path

from answerable.posture.rule import FindingRule
from answerable.posture.rule_catalogue import RULES

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = DOCS / "findings.md"
_TABLE = re.compile(r"(?ms)^<!-- rules -->\n.*?^<!-- end of rules -->$")


def rule_page(rule: FindingRule) -> str:
    """Return the page of a rule."""
    return f"""# {rule.title}

`{rule.id}`: {rule.question}

{rule.detail}

| | |
|---|---|
| platforms | {", ".join(f"`{each}`" for each in rule.platforms)} |
| data that it needs | {rule.requires.text} |
| [severity](../findings.md#severity) | {rule.severity} |
| applies to | {", ".join(rule.owasp)} |

## Repair

{rule.repair}

All rules: [findings](../findings.md#rules).
"""


def rule_table(page: str) -> str:
    """Return `docs/findings.md` with its table of rules as derived."""
    rows = "\n".join(
        f"| [`{rule.id}`](findings/{rule.id}.md) | {rule.question} "
        f"| {', '.join(f'`{each}`' for each in rule.platforms)} "
        f"| {', '.join(rule.owasp)} |"
        for rule in RULES
    )
    head = "| rule | question | platforms | applies to |\n|---|---|---|---|\n"
    return _TABLE.sub(
        lambda _: f"<!-- rules -->\n{head}{rows}\n<!-- end of rules -->", page
    )


def derived_pages() -> dict[Path, str]:
    """Return every derived page by path."""
    pages = {DOCS / "findings" / f"{rule.id}.md": rule_page(rule) for rule in RULES}
    return {**pages, PAGE: rule_table(PAGE.read_text(encoding="utf-8"))}


if __name__ == "__main__":
    for path, text in derived_pages().items():
        path.write_text(text, encoding="utf-8")
