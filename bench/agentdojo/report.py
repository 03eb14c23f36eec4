"""Generator of docs/baseline-measured.md."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_RUN_MARKER = ("date", "revision", "load before", "load after")
_INTRODUCTION = """\
## How

- `make agentdojo` runs all measurements and prints them; `make agentdojo ARGS=--page`
  also writes this page. `ARGS="--page --only PARTS"` updates only the sections of these
  parts. No language model is called.
- Tasks, tools, environments and checks are those of AgentDojo (PyPI `agentdojo`). An
  honest run makes the ground-truth calls of an AgentDojo task. In an attacked run, the
  goal is injected into every place that the task's reads return. The agent makes the
  task's calls up to the last of these reads, then the calls that reach the goal,
  exactly as scripted, and then the remaining calls of the task. Eight goals of the
  workspace suite have no ground-truth calls; their calls are scripted in
  `bench/agentdojo/injection_goals.py`. Without a guard, all of these calls succeed.
  AgentDojo's check runs at the end of the run. In a few runs, the injected text itself,
  or later calls of the task, affect the check.
- The attackers: *plain* injects the goal in AgentDojo's wording; *literal-hiding*
  encodes its addresses, accounts, sites and ids so that they do not occur literally;
  *forged prompt* makes the agent's host claim that a person requested the goal;
  *laundering* first writes each value to a place that the agent may write, and reads it
  back; *run splitting* makes each injected call in a separate run. *In-profile mimicry*
  first makes the reads that precede the injected call in honest runs, and exceeds none
  of the amounts seen there.
- "Some harm": an injected call that writes, or that names a payee or recipient,
  succeeded and took effect, even if the goal was not reached. "Goal": AgentDojo's own
  check. One goal of the travel suite only requires the agent to say something, which no
  rule for tool calls can prevent. A call that waits for its owner does not count as
  successful.
- "Goal" is the attack success rate of AgentDojo and of most publications.
- The travel suite was held out while the rules were developed, and run once, at the
  stated revision. The rules were changed afterwards on the other suites only (contexts
  of reads, contexts seen in one run, 25 % more for amounts of few runs, member names, a
  request as a list of values); travel was not run again.
- An honest run is disturbed if any of its calls is denied or held for the owner.
- "Known shape": the profile was learned from the same tasks with other values
  (addresses, accounts, sites, dates, ids, names), six runs per task. "Held-out": it was
  learned without the tested task. "Cold": no profile was learned.
- Intervals are 95 %. For attacks, they are a cluster bootstrap over goals (2,000
  draws), because runs of the same goal are correlated. For honest runs, they are Wilson
  intervals.
## Limits

- Ground-truth calls are minimal and scripted: there are no retries and no detours.
- Behavior that is new for an agent is held for the owner, and a mix of tasks produces
  new behavior for a long time: the learning curve shows how many of the next runs are
  of tasks that were never seen, or seen once. A rule that holds new behavior cannot
  disturb many fewer runs.
- Under attack, some runs cannot be completed at all: in the slack suite, the injected
  text is part of a channel name that the task must pass on. In most other incomplete
  runs, a limit on amounts is reached, because successful injected calls count towards
  it.
- A poisoner in 5 % of the training runs who always uses the same account looks like a
  customer. Only an owner's signature distinguishes them; the strict configuration,
  which is the default of a profile, requires it.
- Message bodies are placeholders, so exfiltration as prose to a permitted recipient is
  not tested; neither is the agent's final answer to the person.
- The configurations called "learned" also learn from runs in which untrusted text
  named a payee or recipient, which a poisoner can exploit. The strict configuration, in
  which an owner signs such values, is not affected. See the section on poisoned
  training runs before you choose one.
- The attacks that still succeed use normal behavior of the agent: deleting the largest
  file, because one of its tasks is that, or sending mail to its own person. A narrower
  identity for each job prevents this, not a stricter rule.
- The operator's declarations about tools and fields
  (`bench/agentdojo/tool_declarations.py`) were written with knowledge of these suites,
  and the rules were developed on banking, slack and workspace.
"""


@dataclass(frozen=True, slots=True)
class ReportSection:
    """One table of the page.

    Attributes:
        title: Its heading.
        about: What it shows, and what it means.
        head: Of the table.
        rows: Its cells.
    """

    title: str
    about: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]


def render_markdown(section: ReportSection) -> str:
    """Render a section's table as Markdown."""
    lines = [section.head, ["---", *("--:" for _ in section.head[1:])], *section.rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def render_plain(section: ReportSection) -> str:
    """Render a section for a terminal."""
    rows = [list(section.head), *(list(row) for row in section.rows)]
    widths = [max(len(row[n]) for row in rows) for n in range(len(section.head))]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in rows
    )
    return f"{section.title}\n" + "\n".join(line.rstrip() for line in lines)


def render_page(
    facts: Mapping[str, str],
    sections: Sequence[ReportSection],
    titles: Sequence[str],
    before: str,
) -> str:
    """Render the page; a section that was not measured is kept.

    Args:
        facts: Of the machine, and of this run.
        sections: What was measured.
        titles: Of all sections, in the page's order.
        before: The page as it was, empty where there was none.
    """
    run = (
        f"Measured on {facts['date']} at revision {facts['revision']}; load "
        f"{facts['load before']} before, {facts['load after']} after."
    )
    new = {section.title: _render_section(section, run) for section in sections}
    kept = (new.get(title) or _previous_section(title, before) for title in titles)
    about = "\n".join(
        f"| {name} | {value} |"
        for name, value in facts.items()
        if name not in _RUN_MARKER
    )
    whole = "\n\n".join(section for section in kept if section)
    return (
        "# Baselines, measured\n\n"
        "Written by `make agentdojo`; do not edit. The measurements run a fully "
        "compromised, scripted agent against rules that check its tool calls; see [how](#how) and the "
        "[limits](#limits).\n\n"
        f"| measured with | |\n|---|---|\n{about}\n\n{whole}\n\n{_INTRODUCTION}"
    )


def _previous_section(title: str, before: str) -> str:
    _, found, rest = before.partition(f"\n## {title}\n")
    return (f"## {title}\n" + rest.partition("\n## ")[0]).strip() if found else ""


def _render_section(section: ReportSection, run: str) -> str:
    blocks = [
        f"## {section.title}",
        run,
        section.about.strip(),
        render_markdown(section),
    ]
    return "\n\n".join(block for block in blocks if block)
