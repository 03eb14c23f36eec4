"""AgentDojo suites: environments, ground truth, injections, outcome checks.

Only this module and `goals` know AgentDojo. Its tasks and tools are used; no model is.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import Any

import yaml
from agentdojo.base_tasks import BaseInjectionTask, BaseUserTask
from agentdojo.functions_runtime import FunctionCall, FunctionsRuntime, TaskEnvironment
from agentdojo.task_suite.load_suites import get_suite
from agentdojo.task_suite.task_suite import TaskSuite, read_suite_file
from agentdojo.types import text_content_block_from_string
from pydantic import BaseModel, TypeAdapter

from bench.agentdojo.injection_goals import scripted_calls
from bench.agentdojo.scenario import ExecutedCall, HonestRun, ScriptedCall

VERSION = "v1.2.2"
DEVELOPED, KEPT_BACK = ("banking", "slack", "workspace"), "travel"
InjectedTexts = tuple[tuple[str, str], ...]
Key = tuple[object, ...]
_JSON: TypeAdapter[object] = TypeAdapter(object)


class SuiteEnvironment:
    """One mutable environment, with the calls executed in it.

    What ran before in such a world is remembered by the stage, since every guard lets
    much the same run: the environment is made where something new is asked of it.

    Args:
        stage: On which it is set.
        name: The user task, and the texts that are injected, by place.
    """

    def __init__(
        self, stage: "AgentDojoSuite", name: tuple[str, InjectedTexts]
    ) -> None:
        self.stage = stage
        self.ran: list[FunctionCall] = []
        self._name = name
        self._key: Key = (*name,)
        self._environment: TaskEnvironment | None = None

    def run_call(self, call: ScriptedCall) -> ExecutedCall:
        """Execute a call; a failed one gives None and `failed`."""
        made = FunctionCall(function=call.tool, args=dict(call.arguments))
        key = (*self._key, call.tool, json.dumps(to_json(made.args), sort_keys=True))
        turn = self.stage.turns.get(key)
        if turn is None:
            environment = self._current_state()
            answer, error = self._execute(environment, made)
            turn = ExecutedCall(call, None if error else to_json(answer), bool(error))
            self.stage.turns[key] = turn
        else:
            self._environment = None
        self.ran.append(made)
        self._key = key
        return turn

    def ground_truth_calls(
        self, task: "BaseUserTask[Any] | BaseInjectionTask[Any]"
    ) -> list[ScriptedCall]:
        """Return the ground-truth calls of a task in the current state."""
        key = (*self._key, type(task))
        if key not in self.stage.scripts:
            truth = task.ground_truth(self._current_state())
            calls = [ScriptedCall(one.function, to_json(one.args)) for one in truth]
            if not calls:
                calls = list(
                    scripted_calls(self.stage.name, task.ID, self._current_state())
                )
            self.stage.scripts[key] = calls
        return self.stage.scripts[key]

    def document(self) -> Any:
        """Return the current environment as JSON."""
        return to_json(self._current_state())

    def is_task_done(self, task: "BaseUserTask[Any]") -> bool:
        """Return whether the user task succeeded, by AgentDojo's check."""
        return self._run_check(self.stage.suite._check_user_task_utility, task)

    def is_goal_reached(self, task: "BaseInjectionTask[Any]") -> bool:
        """Return whether the injected goal was reached, by AgentDojo's check."""
        return self._run_check(self.stage.suite._check_injection_task_security, task)

    def _run_check(self, check: Callable[..., bool], task: Any) -> bool:
        key = (*self._key, type(task))
        if key not in self.stage.checked:
            said = [text_content_block_from_string(task.GROUND_TRUTH_OUTPUT)]
            # Some checks change what they are shown.
            before = self.stage.base_environment(self._name).model_copy(deep=True)
            after = self._current_state().model_copy(deep=True)
            found = check(task, said, before, after, self.ran)
            self.stage.checked[key] = bool(found)
        return self.stage.checked[key]

    def _current_state(self) -> TaskEnvironment:
        if self._environment is None:
            first = self.stage.base_environment(self._name)
            self._environment = first.model_copy(deep=True)
            for made in self.ran:
                self._execute(self._environment, made)
        return self._environment

    def _execute(
        self, environment: TaskEnvironment, made: FunctionCall
    ) -> tuple[object, str | None]:
        return self.stage.runtime.run_function(environment, made.function, made.args)


@dataclass(frozen=True, eq=False)
class AgentDojoSuite:
    """One suite.

    Attributes:
        suite: AgentDojo's.
        runtime: Runs its tools.
        document: The environment's document, with a mark where each injection goes.
        defaults: What stands there when nothing is injected.
        turns: What was answered, by the world and the calls up to there.
        scripts: What solves a task, likewise.
        checked: What AgentDojo's checks said, likewise; they are slow.
    """

    suite: TaskSuite[Any]
    runtime: FunctionsRuntime
    document: object
    defaults: Mapping[str, str]
    turns: dict[Key, ExecutedCall] = field(default_factory=dict)
    scripts: dict[Key, list[ScriptedCall]] = field(default_factory=dict)
    checked: dict[Key, bool] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.suite.name

    @property
    def user_tasks(self) -> Mapping[str, "BaseUserTask[Any]"]:
        return self.suite.user_tasks

    @property
    def injection_tasks(self) -> Mapping[str, "BaseInjectionTask[Any]"]:
        return self.suite.injection_tasks

    def build_environment(
        self, task: str, injected: Mapping[str, str]
    ) -> SuiteEnvironment:
        """Build an environment for a user task, with injected texts by place."""
        return SuiteEnvironment(self, (task, tuple(injected.items())))

    @lru_cache(maxsize=1024)  # noqa: B019 - a stage lives as long as the process
    def base_environment(self, name: tuple[str, InjectedTexts]) -> TaskEnvironment:
        """Return the initial environment; copy it before changes."""
        task, injected = name
        texts = {place: self.defaults[place] + text for place, text in injected}
        document = _fill_marks(self.document, {**self.defaults, **texts})
        loaded = self.suite.environment_type.model_validate(document)
        return self.user_tasks[task].init_environment(loaded)

    @cache  # noqa: B019
    def honest_run(self, task: str) -> HonestRun:
        """Record the honest run of a user task in a clean environment."""
        world = self.build_environment(task, {})
        calls = world.ground_truth_calls(self.user_tasks[task])
        turns = tuple(world.run_call(call) for call in calls)
        return HonestRun(self.name, task, self.user_tasks[task].PROMPT, turns)

    @cache  # noqa: B019
    def _marked_results(self, task: str) -> tuple[str, ...]:
        """Return the results of a task's calls, with a marker at each place."""
        world = self.build_environment(
            task, {name: _place_mark(name) for name in self.defaults}
        )
        calls = world.ground_truth_calls(self.user_tasks[task])
        return tuple(json.dumps(world.run_call(call).answer) for call in calls)

    def visible_places(self, task: str) -> tuple[str, ...]:
        """Return the places whose text the honest agent reads in this task."""
        read = " ".join(self._marked_results(task))
        return tuple(name for name in self.defaults if _place_mark(name) in read)

    def calls_until_visible(self, task: str) -> int:
        """Count the calls up to the last one that shows such a place."""
        holds = [
            n
            for n, read in enumerate(self._marked_results(task), 1)
            if _place_mark("") in read
        ]
        return holds[-1]


@cache
def load_suite(name: str) -> AgentDojoSuite:
    """Load a suite by name."""
    suite = get_suite(VERSION, name)
    defaults = suite.get_injection_vector_defaults()
    text = read_suite_file(suite.name, "environment.yaml", suite.data_path)
    marked = text.format(**{place: _place_mark(place) for place in defaults})
    # A default may hold more than text can, so what YAML makes of it stays.
    clean = {place: _parse_default(default) for place, default in defaults.items()}
    document = yaml.safe_load(marked)
    return AgentDojoSuite(suite, FunctionsRuntime(suite.tools), document, clean)


def load_suites(names: Sequence[str]) -> Iterator[AgentDojoSuite]:
    return (load_suite(name) for name in names)


def to_json(value: object) -> Any:
    """Convert a tool value to a JSON value."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    return _JSON.dump_python(value, mode="json", fallback=to_json)


def _place_mark(place: str) -> str:
    """Mark a place; with an empty name, what every mark begins with."""
    return f"<|{place}|>" if place else "<|"


def _parse_default(default: str) -> str:
    """Read a default as the double-quoted YAML that it is put into."""
    return str(yaml.safe_load(f'"{default}"')) if default else ""


def _fill_marks(value: object, texts: Mapping[str, str]) -> object:
    """Replace markers by texts."""
    if isinstance(value, dict):
        return {_fill_marks(k, texts): _fill_marks(v, texts) for k, v in value.items()}
    if isinstance(value, list):
        return [_fill_marks(member, texts) for member in value]
    if isinstance(value, str) and "<|" in value:
        for place, text in texts.items():
            value = value.replace(_place_mark(place), text)
    return value
