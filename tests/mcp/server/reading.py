"""Resources, prompts and completion of the test server."""

from typing import Any

import mcp_types as types
from mcp.shared.exceptions import MCPError

from tests.mcp.server import inputs
from tests.mcp.server.contents import Context
from tests.mcp.server.replies import PNG, embedded, image, text

TEXT = "test://static-text"
BINARY = "test://static-binary"
WATCHED = "test://watched-resource"
TEMPLATE = "test://template/{id}/data"
PLAIN = {
    TEXT: "This is the content of the static text resource.",
    WATCHED: "Watched resource content",
}
CITIES = ["paris", "park", "party"]


async def list_resources(
    ctx: Context, params: types.PaginatedRequestParams | None
) -> types.ListResourcesResult:
    described: list[tuple[str, str, str]] = [
        (TEXT, "static-text", "text/plain"),
        (BINARY, "static-binary", "image/png"),
        (WATCHED, "watched-resource", "text/plain"),
    ]
    return types.ListResourcesResult(
        resources=[
            types.Resource(
                uri=uri, name=name, description=f"The {name}", mime_type=mime_type
            )
            for uri, name, mime_type in described
        ]
    )


async def list_templates(
    ctx: Context, params: types.PaginatedRequestParams | None
) -> types.ListResourceTemplatesResult:
    template = types.ResourceTemplate(
        uri_template=TEMPLATE,
        name="template",
        description="Data by id",
        mime_type="application/json",
    )
    return types.ListResourceTemplatesResult(resource_templates=[template])


async def read(
    ctx: Context, params: types.ReadResourceRequestParams
) -> types.ReadResourceResult:
    """Read one resource.

    Raises:
        MCPError: If there is none of that URI (SEP-2164).
    """
    uri = params.uri
    before, after = TEMPLATE.split("{id}")
    contents: types.TextResourceContents | types.BlobResourceContents
    if uri in PLAIN:
        contents = types.TextResourceContents(
            uri=uri, mime_type="text/plain", text=PLAIN[uri]
        )
    elif uri == BINARY:
        contents = types.BlobResourceContents(uri=uri, mime_type="image/png", blob=PNG)
    elif uri.startswith(before) and uri.endswith(after):
        number = uri.removeprefix(before).removesuffix(after)
        words = (
            f'{{"id":"{number}","templateTest":true,"data":"Data for ID: {number}"}}'
        )
        contents = types.TextResourceContents(
            uri=uri, mime_type="application/json", text=words
        )
    else:
        raise MCPError(types.INVALID_PARAMS, "Resource not found", {"uri": uri})
    return types.ReadResourceResult(contents=[contents])


def _argument(name: str) -> types.PromptArgument:
    return types.PromptArgument(name=name, description="For a test", required=True)


PROMPTS = [
    types.Prompt(name="test_simple_prompt", description="Without arguments"),
    types.Prompt(
        name="test_prompt_with_arguments",
        description="With two arguments",
        arguments=[_argument("arg1"), _argument("arg2")],
    ),
    types.Prompt(
        name="test_prompt_with_embedded_resource",
        description="With a resource inside",
        arguments=[_argument("resourceUri")],
    ),
    types.Prompt(name="test_prompt_with_image", description="With an image"),
    types.Prompt(name="test_input_required_result_prompt", description="Needs input"),
]


async def list_prompts(
    ctx: Context, params: types.PaginatedRequestParams | None
) -> types.ListPromptsResult:
    return types.ListPromptsResult(prompts=PROMPTS)


async def get_prompt(
    ctx: Context, params: types.GetPromptRequestParams
) -> types.GetPromptResult | types.InputRequiredResult:
    """Fill one prompt.

    Raises:
        MCPError: If there is none of that name.
    """
    if params.name == "test_input_required_result_prompt":
        return await inputs.prompt(ctx, params)
    content = _filled(params.name, params.arguments or {})
    return types.GetPromptResult(
        messages=[types.PromptMessage(role="user", content=part) for part in content]
    )


def _filled(name: str, arguments: dict[str, Any]) -> list[types.ContentBlock]:
    if name == "test_simple_prompt":
        return [text("This is a simple prompt for testing.")]
    if name == "test_prompt_with_arguments":
        words = "Prompt with arguments: arg1='{arg1}', arg2='{arg2}'"
        return [text(words.format(**arguments))]
    if name == "test_prompt_with_embedded_resource":
        words = "Embedded resource content for testing."
        return [
            embedded(str(arguments["resourceUri"]), "text/plain", words),
            text("Please process the embedded resource above."),
        ]
    if name == "test_prompt_with_image":
        return [image(), text("Please analyze the image above.")]
    raise MCPError(types.INVALID_PARAMS, f"Unknown prompt: {name}")


async def complete(
    ctx: Context, params: types.CompleteRequestParams
) -> types.CompleteResult:
    values = [city for city in CITIES if city.startswith(params.argument.value)]
    return types.CompleteResult(
        completion=types.Completion(values=values, total=len(values), has_more=False)
    )
