"""Page of the comparison, as Markdown."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from bench.compare.questions import QUESTIONS
from bench.compare.tools import ToolAnswer

_HEAD = """\
# Comparison with other tools

`make compare` runs tools that install from the Python package index on the same fixtures as ours, and writes this page. Written on {day}. The tools are pinned with hashes in `requirements/compare.txt`, in a separate environment; `answerable` imports none of these tools.

**How a result is judged.** Each question has facts that follow from the fixtures. A fact counts as answered if one record of a tool's output (an element of a JSON list, or a line) names all parts of the fact; `bench/compare/questions.py` has the patterns. We chose the facts, for questions that `answerable` was built to answer. The table shows which of these facts a tool reports, not how good the tool is at its own task.

**Fixtures.** The fixtures are a developer's home with agent configurations, a project with a workflow, a second repository, and an AWS account of seven identities (`bench/compare/fixtures.py`).
"""
_BETTER = """\
## Where another tool is the better choice

| for | use | because |
|---|---|---|
| known vulnerabilities of packages and images | agent-bom | agent-bom looks up packages of servers in vulnerability databases; `answerable` does not |
| security of GitHub workflows in general | zizmor | zizmor has audits for template injection, cache poisoning, artifacts with credentials and some 30 more, with automatic fixes; `answerable` reads workflows only for agents, triggers, tokens and federation |
| secrets in any file and in git history | detect-secrets | detect-secrets searches every file by pattern and entropy, and keeps a baseline of accepted secrets; `answerable` reads configurations by schema, and finds no secret in other files |
| an HTML report of IAM risks for each policy | cloudsplaining | cloudsplaining shows each action of a policy with its risk, without any setup; it evaluates policies one by one |

## Not run

- Functions of the tools that need a live account, a cluster, a container image or a vulnerability database: the runs are offline.
- The gateways, proxies and runtime monitors of agent-bom.
- Commercial services, and tools that do not install from the Python package index.
"""


@dataclass(frozen=True, slots=True)
class ToolResult:
    """Answers of one tool.

    Attributes:
        answered: Answered and false facts by the number of the question; a question
            that is absent was not asked.
        commands: Commands that were run.
        not_run: Questions for which the tool needs more than the fixtures.
    """

    name: str
    version: str
    answered: Mapping[int, tuple[Sequence[str], Sequence[str]]]
    commands: Sequence[ToolAnswer]
    not_run: Sequence[int] = ()

    @property
    def problem(self) -> str:
        """Return why the tool gave no answer at all; empty if it gave one."""
        silent = all(not each.records or each.problem for each in self.commands)
        problems = [each.problem for each in self.commands if each.problem]
        return problems[0] if silent and problems else ""


def build_page(results: Sequence[ToolResult], day: date) -> str:
    """Build the page."""
    parts = [
        _HEAD.format(day=day.isoformat()),
        "## Answers\n\n" + "\n".join(_build_table(results)) + "\n",
        "\n".join(_build_details(results)),
        _BETTER,
        "## Commands\n\n" + "\n".join(_build_commands(results)) + "\n",
    ]
    return "\n".join(parts)


def _build_table(results: Sequence[ToolResult]) -> Iterator[str]:
    """Yield the table: facts answered of all, and false ones."""
    names = [f"{each.name} {each.version}".strip() for each in results]
    yield "| question | " + " | ".join(names) + " |"
    yield "|---|" + "---|" * len(names)
    for number, question in enumerate(QUESTIONS):
        cells = (_format_cell(each, number) for each in results)
        yield f"| {number + 1}. {question.text} | " + " | ".join(cells) + " |"
    yield ""
    yield "`2 of 3`: facts answered, of all facts of the question. `false: 1`: false facts in the output. `-`: the tool has no function for the question. `not run`: the tool needs a live account or a second run of its server. `does not start`: see [commands](#commands)."


def _format_cell(result: ToolResult, number: int) -> str:
    """Format the answer of a tool to a question."""
    if number in result.not_run:
        return "not run"
    if number not in result.answered:
        return "-"
    if result.problem:
        return "does not start"
    answered, wrong = result.answered[number]
    text = f"{len(answered)} of {len(QUESTIONS[number].facts)}"
    return f"{text}, false: {len(wrong)}" if wrong else text


def _build_details(results: Sequence[ToolResult]) -> Iterator[str]:
    """Yield the facts of each question, with the tools that answer each."""
    yield "## Facts\n"
    yield "| question | fact | answered by |"
    yield "|---|---|---|"
    for number, question in enumerate(QUESTIONS):
        for name in question.facts:
            tools = [e.name for e in results if name in _get_facts(e, number, 0)]
            yield f"| {number + 1} | {name} | {', '.join(tools) or 'none'} |"
        for name in question.wrong:
            tools = [e.name for e in results if name in _get_facts(e, number, 1)]
            yield f"| {number + 1} | false: {name} | {', '.join(tools) or 'none'} |"
    yield ""


def _get_facts(result: ToolResult, number: int, which: int) -> Sequence[str]:
    """Return the answered facts of a question, or the false ones."""
    return result.answered.get(number, ((), ()))[which]


def _build_commands(results: Sequence[ToolResult]) -> Iterator[str]:
    """Yield the commands of each tool, with the error of one that did not run."""
    yield "| tool | command | ran |"
    yield "|---|---|---|"
    for result in results:
        for each in result.commands:
            ran = f"no: `{each.problem.replace('|', '/')}`" if each.problem else "yes"
            yield f"| {result.name} | `{each.command}` | {ran} |"
