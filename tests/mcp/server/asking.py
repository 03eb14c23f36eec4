"""Tools of the session eras: each asks the client in the middle of the call."""

import mcp_types as types

from tests.mcp.server.contents import Answer, Context, Params
from tests.mcp.server.replies import done, elicit, form, sample, text

DEFAULTS = {
    "name": {"type": "string", "default": "John Doe"},
    "age": {"type": "integer", "default": 30},
    "score": {"type": "number", "default": 95.5},
    "status": {
        "type": "string",
        "enum": ["active", "inactive", "pending"],
        "default": "active",
    },
    "verified": {"type": "boolean", "default": True},
}
OPTIONS = ["option1", "option2", "option3"]
TITLED = [
    {"const": "value1", "title": "First Option"},
    {"const": "value2", "title": "Second Option"},
    {"const": "value3", "title": "Third Option"},
]
ENUMS = {
    "untitledSingle": {"type": "string", "enum": OPTIONS},
    "titledSingle": {"type": "string", "oneOf": TITLED},
    "legacyEnum": {
        "type": "string",
        "enum": ["opt1", "opt2", "opt3"],
        "enumNames": ["Option One", "Option Two", "Option Three"],
    },
    "untitledMulti": {"type": "array", "items": {"type": "string", "enum": OPTIONS}},
    "titledMulti": {"type": "array", "items": {"anyOf": TITLED}},
}
USER = {
    "username": {"type": "string", "description": "User's response"},
    "email": {"type": "string", "description": "User's email address"},
}


async def _ask(ctx: Context, request: types.ElicitRequest) -> types.ElicitResult:
    asked = request.params
    assert isinstance(asked, types.ElicitRequestFormParams)
    return await ctx.session.elicit_form(
        asked.message, asked.requested_schema, ctx.request_id
    )


async def sampling(ctx: Context, params: Params) -> Answer:
    prompt = str((params.arguments or {})["prompt"])
    asked = sample(prompt, 100).params
    reply = await ctx.session.create_message(
        asked.messages, max_tokens=asked.max_tokens, related_request_id=ctx.request_id
    )
    content = reply.content
    words = content.text if isinstance(content, types.TextContent) else content.type
    return done(text(f"LLM response: {words}"))


async def elicitation(ctx: Context, params: Params) -> Answer:
    message = str((params.arguments or {})["message"])
    reply = await _ask(ctx, elicit(message, USER))
    return done(text(f"User response: {reply.action}, content: {reply.content}"))


async def elicitation_defaults(ctx: Context, params: Params) -> Answer:
    return await _completed(ctx, "Please confirm your details", DEFAULTS)


async def elicitation_enums(ctx: Context, params: Params) -> Answer:
    return await _completed(ctx, "Please choose", ENUMS)


async def _completed(
    ctx: Context, message: str, properties: dict[str, object]
) -> Answer:
    reply = await ctx.session.elicit_form(message, form(properties), ctx.request_id)
    words = f"Elicitation completed: action={reply.action}, content={reply.content}"
    return done(text(words))
