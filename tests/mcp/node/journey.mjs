// The journey with the TypeScript SDKs: `node journey.mjs ERA TO...`.
//
// TO is a URL, with the token on standard input, or the command of a server. Prints
// what was seen as one line of JSON, under the names of tests/mcp/clients/journey.py.
// NODE_HOME says where the packages are. The first SDK speaks the eras of sessions and
// the second one 2026-07-28, too, so each era has the client that people have for it.

import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { setTimeout } from "node:timers/promises";

const require = createRequire(`${process.env.NODE_HOME}/`);
const [era, ...to] = process.argv.slice(2);
const modern = era === "2026-07-28";
const GIVE_UP_MILLISECONDS = 300;
const TRIES = 15;
const ANSWER = { name: "Ana", username: "Ana", email: "ana@example.com" };

const sdk = modern
  ? {
      ...require("@modelcontextprotocol/client"),
      ...require("@modelcontextprotocol/client/stdio"),
    }
  : {
      ...require("@modelcontextprotocol/sdk/client/index.js"),
      ...require("@modelcontextprotocol/sdk/client/stdio.js"),
      ...require("@modelcontextprotocol/sdk/client/streamableHttp.js"),
      ...require("@modelcontextprotocol/sdk/types.js"),
    };

const client = new sdk.Client(
  { name: "journey", version: "1.0.0" },
  {
    capabilities: { elicitation: { form: {} } },
    ...(modern ? { versionNegotiation: { mode: { pin: era } } } : {}),
  },
);

client.setRequestHandler(
  modern ? "elicitation/create" : sdk.ElicitRequestSchema,
  async (request) => {
    const wanted = Object.keys(request.params.requestedSchema.properties);
    const content = Object.fromEntries(wanted.map((name) => [name, ANSWER[name]]));
    return { action: "accept", content };
  },
);

function call(name, args = {}, options = {}) {
  const params = { name, arguments: args };
  // Only the first SDK takes a schema of results before the options.
  return modern
    ? client.callTool(params, options)
    : client.callTool(params, undefined, options);
}

async function text(name, args, options) {
  return (await call(name, args, options)).content[0].text;
}

// Whether giving up came soon, and whether the server heard it.
async function cancelled() {
  const name = randomUUID();
  const signal = AbortSignal.timeout(GIVE_UP_MILLISECONDS);
  let soon = false;
  try {
    await call("slow", { seconds: 20, name }, { signal });
  } catch {
    soon = signal.aborted;
  }
  for (let tries = 0; tries < TRIES; tries += 1) {
    if ((await text("given_up", { name })) === "yes") return [soon, true];
    await setTimeout(GIVE_UP_MILLISECONDS);
  }
  return [soon, false];
}

async function denied() {
  try {
    await call("withheld");
    return null;
  } catch (error) {
    return error.code ?? String(error);
  }
}

async function journey() {
  const tools = (await client.listTools()).tools.map((tool) => tool.name);
  const failed = await call("test_error_handling");
  const resource = await client.readResource({ uri: "test://static-text" });
  const templates = (await client.listResourceTemplates()).resourceTemplates;
  const prompt = await client.getPrompt({
    name: "test_prompt_with_arguments",
    arguments: { arg1: "hello", arg2: "world" },
  });
  const { completion } = await client.complete({
    ref: { type: "ref/prompt", name: "test_prompt_with_arguments" },
    argument: { name: "arg1", value: "par" },
  });
  const progress = [];
  const onprogress = (heard) => progress.push(heard.progress);
  await call("test_tool_with_progress", {}, { onprogress });
  const asks = modern
    ? await text("test_input_required_result_elicitation")
    : await text("test_elicitation", { message: "Who are you?" });
  return {
    era: negotiated,
    "lists withheld": tools.includes("withheld"),
    "lists echo": tools.includes("echo"),
    call: await text("echo", { message: "grüße" }),
    error: [failed.isError, failed.content[0].text],
    resource: resource.contents[0].text,
    templates: templates.map((template) => template.uriTemplate),
    prompt: prompt.messages[0].content.text,
    completion: completion.values,
    progress,
    elicitation: asks.includes(ANSWER.name),
    cancelled: await cancelled(),
    after: await text("echo", { message: "still here" }),
    denied: await denied(),
  };
}

function connect() {
  if (!to[0].startsWith("http")) {
    const [command, ...args] = to;
    return new sdk.StdioClientTransport({ command, args });
  }
  const token = readFileSync(0, "utf8").trim();
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  return new sdk.StreamableHTTPClientTransport(new URL(to[0]), {
    requestInit: { headers },
  });
}

const transport = connect();
// Both SDKs tell the transport which version was agreed on, if it wants to know.
let negotiated;
const tell = transport.setProtocolVersion?.bind(transport);
transport.setProtocolVersion = (version) => {
  negotiated = version;
  tell?.(version);
};
await client.connect(transport);
const seen = await journey();
await client.close();
process.stdout.write(`${JSON.stringify(seen)}\n`);
