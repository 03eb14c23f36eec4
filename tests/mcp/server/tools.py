"""The tools by name: what each says of itself, and what it runs."""

from dataclasses import dataclass, field
from typing import Any

import mcp_types as types
from mcp.shared.exceptions import MCPError

from tests.mcp.server import asking, contents, inputs
from tests.mcp.server.contents import Answer, Context, Params, Run
from tests.mcp.server.replies import form

NO_ARGUMENTS: dict[str, Any] = {"type": "object", "properties": {}}
DRAFT_2020_12 = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "$defs": {
        "address": {
            "$anchor": "addressDef",
            "type": "object",
            "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
        }
    },
    "properties": {
        "name": {"type": "string"},
        "address": {"$ref": "#/$defs/address"},
        "contactMethod": {"type": "string", "enum": ["phone", "email"]},
        "phone": {"type": "string"},
        "email": {"type": "string"},
    },
    "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
    "if": {
        "properties": {"contactMethod": {"const": "phone"}},
        "required": ["contactMethod"],
    },
    "then": {"required": ["phone"]},
    "else": {"required": ["email"]},
    "additionalProperties": False,
}
# The client repeats this argument in the field Mcp-Param-Region (SEP-2243).
REGION = form({"region": {"type": "string", "x-mcp-header": "Region"}})


@dataclass(frozen=True)
class Fixture:
    """One tool of the test server."""

    description: str
    run: Run
    schema: dict[str, Any] = field(default_factory=lambda: NO_ARGUMENTS)


TOOLS: dict[str, Fixture] = {
    "test_simple_text": Fixture("Returns text", contents.simple_text),
    "test_image_content": Fixture("Returns an image", contents.image_content),
    "test_audio_content": Fixture("Returns audio", contents.audio_content),
    "test_embedded_resource": Fixture(
        "Returns an embedded resource", contents.embedded_resource
    ),
    "test_multiple_content_types": Fixture(
        "Returns text, image and resource", contents.multiple_content_types
    ),
    "test_tool_with_logging": Fixture("Logs thrice", contents.with_logging),
    "test_logging_tool": Fixture("Logs where asked to", contents.with_logging),
    "test_error_handling": Fixture("Fails", contents.error_handling),
    "test_tool_with_progress": Fixture(
        "Reports progress thrice", contents.with_progress
    ),
    "test_sampling": Fixture(
        "Asks the model", asking.sampling, form({"prompt": {"type": "string"}})
    ),
    "test_elicitation": Fixture(
        "Asks the person", asking.elicitation, form({"message": {"type": "string"}})
    ),
    "test_elicitation_sep1034_defaults": Fixture(
        "Asks with defaults", asking.elicitation_defaults
    ),
    "test_elicitation_sep1330_enums": Fixture(
        "Asks with choices", asking.elicitation_enums
    ),
    "test_reconnection": Fixture("Closes its stream", contents.reconnection),
    "json_schema_2020_12_tool": Fixture(
        "Has a schema of every keyword", contents.echo, DRAFT_2020_12
    ),
    "test_missing_capability": Fixture("Needs sampling", contents.missing_capability),
    "test_streaming_elicitation": Fixture(
        "Asks by a result, never by a request", inputs.elicitation
    ),
    "test_input_required_result_elicitation": Fixture(
        "Needs a name", inputs.elicitation
    ),
    "test_input_required_result_sampling": Fixture("Needs a model", inputs.sampling),
    "test_input_required_result_list_roots": Fixture("Needs roots", inputs.list_roots),
    "test_input_required_result_request_state": Fixture(
        "Needs its state back", inputs.request_state
    ),
    "test_input_required_result_tampered_state": Fixture(
        "Needs its state back unchanged", inputs.request_state
    ),
    "test_input_required_result_multiple_inputs": Fixture(
        "Needs three answers", inputs.multiple_inputs
    ),
    "test_input_required_result_multi_round": Fixture(
        "Needs two rounds", inputs.multi_round
    ),
    "test_input_required_result_capabilities": Fixture(
        "Needs what the client can give", inputs.capabilities
    ),
    "test_custom_header": Fixture(
        "Repeats an argument in a field", contents.echo, REGION
    ),
    "echo": Fixture(
        "Returns its arguments", contents.echo, form({"message": {"type": "string"}})
    ),
    "greet": Fixture("Greets", contents.greet, form({"name": {"type": "string"}})),
    "withheld": Fixture("Is on no agent's list", contents.simple_text),
    "slow": Fixture(
        "Takes its time",
        contents.slow,
        form({"seconds": {"type": "number"}, "name": {"type": "string"}}),
    ),
    "given_up": Fixture(
        "Says whether a slow call was given up",
        contents.given_up,
        form({"name": {"type": "string"}}),
    ),
}


def listed() -> list[types.Tool]:
    """Return every tool, always in the same order."""
    return [
        types.Tool(name=name, description=tool.description, input_schema=tool.schema)
        for name, tool in TOOLS.items()
    ]


async def call(ctx: Context, params: Params) -> Answer:
    """Run one tool.

    Raises:
        MCPError: If there is no tool of that name.
    """
    tool = TOOLS.get(params.name)
    if tool is None:
        raise MCPError(types.INVALID_PARAMS, f"Unknown tool: {params.name}")
    return await tool.run(ctx, params)
