"""Ten questions about the fixtures, each with the facts that an answer has to hold."""

import re
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CompareQuestion:
    """Question with its facts.

    Attributes:
        text: The question.
        facts: Facts by name. One is answered if a record of a tool's output matches
            all of its patterns.
        wrong: Facts that are false; an output that holds one is a false alarm.
    """

    text: str
    facts: dict[str, Sequence[str]]
    wrong: dict[str, Sequence[str]]

    def find_answered(self, records: Sequence[str]) -> list[str]:
        """Return the names of the facts that records hold."""
        return [name for name, said in self.facts.items() if _holds(records, said)]

    def find_wrong(self, records: Sequence[str]) -> list[str]:
        """Return the names of the false facts that records hold."""
        return [name for name, said in self.wrong.items() if _holds(records, said)]


def _holds(records: Sequence[str], patterns: Sequence[str]) -> bool:
    """Return whether one record matches all patterns."""
    found = [re.compile(each, re.IGNORECASE) for each in patterns]
    return any(all(each.search(record) for each in found) for record in records)


_HELD_BY = r"(subject\"|PrivilegeEscalation): \"?(arn:[^\"]*)?role/"
_ADMIN = r"administrator|privilege.?escalation"
QUESTIONS: Sequence[CompareQuestion] = (
    CompareQuestion(
        "Which agents and tool servers are configured?",
        {
            "server `tickets` of Claude Desktop": (r"tickets",),
            "server `git` of Claude Desktop": (r"mcp-git|\bgit\b.*claude",),
            "server `s3` of the project": (r"\bs3\b|s3-mcp",),
            "subagent `helper`": (r"agents/helper|/helper\b|\bhelper\b",),
            "agent of the workflow `bot.yml`": (r"bot\.yml", r"claude-code|agent:"),
        },
        {},
    ),
    CompareQuestion(
        "Which files hold the value of a secret?",
        {
            "key in `.env`": (r"\.env\b", r"key|secret|credential"),
            "key in `.mcp.json`": (r"\.mcp\.json", r"key|secret|credential"),
            "token in the configuration of Claude Desktop": (
                r"claude_desktop_config",
                r"token|secret|credential|key",
            ),
        },
        {},
    ),
    CompareQuestion(
        "Which static key is in more than one file, and which account is it of?",
        {
            "one record names both files": (r"shop/\.env\b", r"\.mcp\.json"),
            "account 222233334444": (r"222233334444", r"\.mcp\.json|AKIA"),
        },
        {},
    ),
    CompareQuestion(
        "Which agent runs shell commands without approval while the host is signed in "
        "as an administrator?",
        {
            "unattended shell": (
                r"unattended|without approval|bypassPermissions",
                r"shell|bash|permission",
            ),
            "the host's administrator": (r"administrator", r"claude"),
        },
        {},
    ),
    CompareQuestion(
        "Which workflow with an agent can an outsider start?",
        {
            "`bot.yml` by a comment": (r"bot\.yml", r"issue_comment|outsider"),
            "its token may write": (
                r"bot\.yml",
                r"contents: ?write|write token|may write|excessive",
            ),
        },
        {"`nightly.yml`": (r"nightly\.yml", r"dangerous-trigger|outsider")},
    ),
    CompareQuestion(
        "Which servers and actions are not pinned?",
        {
            "package `mcp-git`": (r"mcp-git", r"unpinned|newest|not pinned|floating"),
            "action `claude-code-action`": (
                r"claude-code-action",
                r"unpinned|not pinned|newest",
            ),
        },
        {},
    ),
    CompareQuestion(
        "Which roles of the account are, or can become, administrators?",
        {
            "`break-glass`": (r"break-glass", _ADMIN),
            "`ci-release`, by a passed role": (r"ci-release", _ADMIN),
        },
        {
            "`denied-admin`, which a Deny disarms": (_HELD_BY + "denied-admin", _ADMIN),
            "`scratch-admin`, which a boundary limits": (
                _HELD_BY + "scratch-admin",
                _ADMIN,
            ),
        },
    ),
    CompareQuestion(
        "Who can read the objects of `personal-data`?",
        {
            "`customer-reader`": (r"customer-reader", r"personal-data|s3:GetObject"),
            "`agent-runner`, through `customer-reader`": (
                r"subject\W+arn:aws:iam::\d+:role/agent-runner|agent-runner.*customer-reader",
                r"personal-data|s3:GetObject",
            ),
            "`legacy-sync`": (r"legacy-sync", r"personal-data|s3:GetObject"),
        },
        {"`denied-admin`": (r"role/denied-admin", r"s3:GetObject|personal-data")},
    ),
    CompareQuestion(
        "Who answers for each agent?",
        {
            "dana, by the home and CODEOWNERS": (
                r"person:dana|owner.*dana@corp",
                r"agent:",
            ),
            "no one for `nightly.yml`": (r"nightly", r"no one|unowned|no owner"),
        },
        {},
    ),
    CompareQuestion(
        "What changed: a server was added, and a role may also delete objects?",
        {
            "server `billing`": (r"billing", r"add|new|\+"),
            "`s3:DeleteObject` of `customer-reader`": (
                r"s3:DeleteObject",
                r"customer-reader",
            ),
        },
        {},
    ),
)
