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

from bench.agentdojo.injection_goals import scripted
from bench.agentdojo.scenario import Call, Run, Turn

VERSION = "v1.2.2"
DEVELOPED, KEPT_BACK = ("banking", "slack", "workspace"), "travel"
Texts = tuple[tuple[str, str], ...]
Key = tuple[object, ...]
_JSON: TypeAdapter[object] = TypeAdapter(object)


class World:
    """One mutable environment, with the calls executed in it.

    What ran before in such a world is remembered by the stage, since every guard lets
    much the same run: the environment is made where something new is asked of it.

    Args:
        stage: On which it is set.
        name: The user task, and the texts that are injected, by place.
    """

    def __init__(self, stage: "Stage", name: tuple[str, Texts]) -> None:
        self.stage = stage
        self.ran: list[FunctionCall] = []
        self._name = name
        self._key: Key = (*name,)
        self._environment: TaskEnvironment | None = None

    def run(self, call: Call) -> Turn:
        """Execute a call; a failed one gives None and `failed`."""
        made = FunctionCall(function=call.tool, args=dict(call.arguments))
        key = (*self._key, call.tool, json.dumps(plain(made.args), sort_keys=True))
        turn = self.stage.turns.get(key)
        if turn is None:
            environment = self._now()
            answer, error = self._act(environment, made)
            turn = Turn(call, None if error else plain(answer), bool(error))
            self.stage.turns[key] = turn
        else:
            self._environment = None
        self.ran.append(made)
        self._key = key
        return turn

    def calls_of(
        self, task: "BaseUserTask[Any] | BaseInjectionTask[Any]"
    ) -> list[Call]:
        """Return the ground-truth calls of a task in the current state."""
        key = (*self._key, type(task))
        if key not in self.stage.scripts:
            truth = task.ground_truth(self._now())
            calls = [Call(one.function, plain(one.args)) for one in truth]
            if not calls:
                calls = list(scripted(self.stage.name, task.ID, self._now()))
            self.stage.scripts[key] = calls
        return self.stage.scripts[key]

    def document(self) -> Any:
        """Return the current environment as JSON."""
        return plain(self._now())

    def served(self, task: "BaseUserTask[Any]") -> bool:
        """Tell whether the user task succeeded, by AgentDojo's check."""
        return self._check(self.stage.suite._check_user_task_utility, task)

    def hijacked(self, task: "BaseInjectionTask[Any]") -> bool:
        """Tell whether the injected goal was reached, by AgentDojo's check."""
        return self._check(self.stage.suite._check_injection_task_security, task)

    def _check(self, check: Callable[..., bool], task: Any) -> bool:
        key = (*self._key, type(task))
        if key not in self.stage.checked:
            said = [text_content_block_from_string(task.GROUND_TRUTH_OUTPUT)]
            # Some checks change what they are shown.
            before = self.stage.environment(self._name).model_copy(deep=True)
            after = self._now().model_copy(deep=True)
            found = check(task, said, before, after, self.ran)
            self.stage.checked[key] = bool(found)
        return self.stage.checked[key]

    def _now(self) -> TaskEnvironment:
        if self._environment is None:
            first = self.stage.environment(self._name)
            self._environment = first.model_copy(deep=True)
            for made in self.ran:
                self._act(self._environment, made)
        return self._environment

    def _act(
        self, environment: TaskEnvironment, made: FunctionCall
    ) -> tuple[object, str | None]:
        return self.stage.runtime.run_function(environment, made.function, made.args)


@dataclass(frozen=True, eq=False)
class Stage:
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
    turns: dict[Key, Turn] = field(default_factory=dict)
    scripts: dict[Key, list[Call]] = field(default_factory=dict)
    checked: dict[Key, bool] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.suite.name

    @property
    def users(self) -> Mapping[str, "BaseUserTask[Any]"]:
        return self.suite.user_tasks

    @property
    def injections(self) -> Mapping[str, "BaseInjectionTask[Any]"]:
        return self.suite.injection_tasks

    def world(self, task: str, injected: Mapping[str, str]) -> World:
        """Build an environment for a user task, with injected texts by place."""
        return World(self, (task, tuple(injected.items())))

    @lru_cache(maxsize=1024)  # noqa: B019 - a stage lives as long as the process
    def environment(self, name: tuple[str, Texts]) -> TaskEnvironment:
        """Return the initial environment; copy it before changes."""
        task, injected = name
        texts = {place: self.defaults[place] + text for place, text in injected}
        document = _filled(self.document, {**self.defaults, **texts})
        loaded = self.suite.environment_type.model_validate(document)
        return self.users[task].init_environment(loaded)

    @cache  # noqa: B019
    def honest(self, task: str) -> Run:
        """Record the honest run of a user task in a clean environment."""
        world = self.world(task, {})
        calls = world.calls_of(self.users[task])
        turns = tuple(world.run(call) for call in calls)
        return Run(self.name, task, self.users[task].PROMPT, turns)

    @cache  # noqa: B019
    def _marked(self, task: str) -> tuple[str, ...]:
        """Return the results of a task's calls, with a marker at each place."""
        world = self.world(task, {name: _mark(name) for name in self.defaults})
        calls = world.calls_of(self.users[task])
        return tuple(json.dumps(world.run(call).answer) for call in calls)

    def shown(self, task: str) -> tuple[str, ...]:
        """Return the places whose text the honest agent reads in this task."""
        read = " ".join(self._marked(task))
        return tuple(name for name in self.defaults if _mark(name) in read)

    def seen_by(self, task: str) -> int:
        """Count the calls up to the last one that shows such a place."""
        holds = [n for n, read in enumerate(self._marked(task), 1) if _mark("") in read]
        return holds[-1]


@cache
def stage(name: str) -> Stage:
    """Load a suite by name."""
    suite = get_suite(VERSION, name)
    defaults = suite.get_injection_vector_defaults()
    text = read_suite_file(suite.name, "environment.yaml", suite.data_path)
    marked = text.format(**{place: _mark(place) for place in defaults})
    # A default may hold more than text can, so what YAML makes of it stays.
    clean = {place: _read(default) for place, default in defaults.items()}
    document = yaml.safe_load(marked)
    return Stage(suite, FunctionsRuntime(suite.tools), document, clean)


def stages(names: Sequence[str]) -> Iterator[Stage]:
    return (stage(name) for name in names)


def plain(value: object) -> Any:
    """Convert a tool value to a JSON value."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    return _JSON.dump_python(value, mode="json", fallback=plain)


def _mark(place: str) -> str:
    """Mark a place; with an empty name, what every mark begins with."""
    return f"<|{place}|>" if place else "<|"


def _read(default: str) -> str:
    """Read a default as the double-quoted YAML that it is put into."""
    return str(yaml.safe_load(f'"{default}"')) if default else ""


def _filled(value: object, texts: Mapping[str, str]) -> object:
    """Replace markers by texts."""
    if isinstance(value, dict):
        return {_filled(k, texts): _filled(v, texts) for k, v in value.items()}
    if isinstance(value, list):
        return [_filled(member, texts) for member in value]
    if isinstance(value, str) and "<|" in value:
        for place, text in texts.items():
            value = value.replace(_mark(place), text)
    return value
