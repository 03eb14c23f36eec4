"""Intent never enters: what decides has no field that carries free text."""

import ast
from pathlib import Path

import pytest

# Files whose classes are what a decision is made from, less the answer itself.
INPUTS = (
    *("decision.py", "behaviour.py", "claims.py"),
    *("rule.py", "attestation.py", "delegation.py", "exchange.py"),
)
ANSWERS = {"Decision", "TokenRequestRefusal"}

FREE_TEXT = {
    "comment",
    "description",
    "explanation",
    "goal",
    "instructions",
    "intent",
    "justification",
    "message",
    "motivation",
    "note",
    "notes",
    "prompt",
    "purpose",
    "rationale",
    "reason",
    "reasoning",
    "summary",
    "thought",
    "why",
}


def free_text_fields(root: Path) -> list[str]:
    """Name each field of a decision input whose name carries free text."""
    found = []
    for name in INPUTS:
        path = root / "src" / "answerable" / "model" / name
        if not path.exists():
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef) and node.name not in ANSWERS:
                found += [f"{name}: {node.name}.{field}" for field in _named(node)]
    return found


def _named(node: ast.ClassDef) -> list[str]:
    fields = [
        statement.target.id
        for statement in node.body
        if isinstance(statement, ast.AnnAssign)
        and isinstance(statement.target, ast.Name)
    ]
    return [field for field in fields if FREE_TEXT & set(field.lower().split("_"))]


def test_no_decision_input_has_a_free_text_field(root: Path) -> None:
    assert free_text_fields(root) == []


@pytest.mark.parametrize("name", INPUTS)
@pytest.mark.parametrize("field", ["reason", "user_intent", "purpose", "prompt"])
def test_a_planted_free_text_field_is_named(
    tmp_path: Path, name: str, field: str
) -> None:
    model = tmp_path / "src" / "answerable" / "model"
    model.mkdir(parents=True)
    (model / name).write_text(
        f"class Request:\n    action: str\n    {field}: str\n"
        "class Decision:\n    reason: str\nclass TokenRequestRefusal:\n    reason: str\n"
    )
    assert free_text_fields(tmp_path) == [f"{name}: Request.{field}"]
