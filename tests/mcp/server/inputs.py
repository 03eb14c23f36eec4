"""Tools of 2026-07-28 that need input: the question is a result, the answer a retry."""

from collections.abc import Mapping

import mcp_types as types
from mcp.shared.exceptions import MCPError

from tests.mcp.server.contents import Answer, Context, Params
from tests.mcp.server.replies import done, elicit, sample, text

Question = types.ElicitRequest | types.CreateMessageRequest | types.ListRootsRequest
Questions = Mapping[str, Question]

NAME = {"name": {"type": "string"}}
OK = {"ok": {"type": "boolean"}}


def _unanswered(params: types.InputResponseRequestParams, asked: Questions) -> bool:
    return not set(asked) <= set(params.input_responses or {})


def _require(asked: Questions, state: str | None = None) -> types.InputRequiredResult:
    return types.InputRequiredResult(input_requests=dict(asked), request_state=state)


def _field(params: types.InputResponseRequestParams, key: str, field: str) -> str:
    """Return one field of an accepted form.

    Raises:
        MCPError: If the response of that key is no accepted form with this field.
    """
    response = (params.input_responses or {}).get(key)
    if isinstance(response, types.ElicitResult) and response.content is not None:
        return str(response.content.get(field))
    raise MCPError(types.INVALID_PARAMS, f"{key} is not an accepted form")


async def elicitation(ctx: Context, params: Params) -> Answer:
    asked = {"user_name": elicit("What is your name?", NAME)}
    if _unanswered(params, asked):
        return _require(asked)
    return done(text(f"Hello, {_field(params, 'user_name', 'name')}!"))


async def sampling(ctx: Context, params: Params) -> Answer:
    asked = {"capital_question": sample("What is the capital of France?", 100)}
    if _unanswered(params, asked):
        return _require(asked)
    response = (params.input_responses or {})["capital_question"]
    return done(text(f"The model said: {response.model_dump_json()}"))


async def list_roots(ctx: Context, params: Params) -> Answer:
    asked = {"client_roots": types.ListRootsRequest()}
    if _unanswered(params, asked):
        return _require(asked)
    response = (params.input_responses or {})["client_roots"]
    assert isinstance(response, types.ListRootsResult)
    return done(text("Roots: " + ", ".join(str(root.uri) for root in response.roots)))


async def request_state(ctx: Context, params: Params) -> Answer:
    asked = {"confirm": elicit("Please confirm", OK)}
    if _unanswered(params, asked):
        return _require(asked, "confirming")
    if params.request_state != "confirming":
        raise MCPError(types.INVALID_PARAMS, "requestState is missing")
    return done(text("state-ok"))


async def multiple_inputs(ctx: Context, params: Params) -> Answer:
    asked: dict[str, Question] = {
        "user_name": elicit("What is your name?", NAME),
        "greeting": sample("Generate a greeting", 50),
        "client_roots": types.ListRootsRequest(),
    }
    if _unanswered(params, asked):
        return _require(asked, "greeting")
    return done(text(f"Greeted {_field(params, 'user_name', 'name')}."))


async def multi_round(ctx: Context, params: Params) -> Answer:
    if params.request_state == "step2":
        return done(text(f"Colour: {_field(params, 'step2', 'color')}."))
    if params.request_state == "step1":
        color = {"color": {"type": "string"}}
        asked = {"step2": elicit("Step 2: What is your favorite color?", color)}
        return _require(asked, "step2")
    return _require({"step1": elicit("Step 1: What is your name?", NAME)}, "step1")


async def capabilities(ctx: Context, params: Params) -> Answer:
    """Ask only for what the client said it can answer."""
    declared = ctx.session.client_capabilities
    asked: dict[str, Question] = {}
    if declared is not None and declared.elicitation is not None:
        asked["user_name"] = elicit("What is your name?", NAME)
    if declared is not None and declared.sampling is not None:
        asked["greeting"] = sample("Generate a greeting", 50)
    if not asked or not _unanswered(params, asked):
        return done(text("Nothing more is needed."))
    return _require(asked)


async def prompt(
    ctx: Context, params: types.GetPromptRequestParams
) -> types.GetPromptResult | types.InputRequiredResult:
    context = {"context": {"type": "string"}}
    asked = {"user_context": elicit("What context should the prompt use?", context)}
    if _unanswered(params, asked):
        return _require(asked)
    words = text(f"Use this context: {_field(params, 'user_context', 'context')}")
    return types.GetPromptResult(
        messages=[types.PromptMessage(role="user", content=words)]
    )
