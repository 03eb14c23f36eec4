// openid-client: discovery, a token exchange bound to a DPoP key, and the token's use.
import { load, show, told } from "./assignment.mjs";

const client = await load("openid-client");
const config = await client.discovery(
  new URL(told.issuer),
  told.client_id,
  undefined,
  client.None(),
  { execute: [client.allowInsecureRequests], algorithm: "oauth2" },
);
const keys = await client.randomDPoPKeyPair("ES256");
const DPoP = client.getDPoPHandle(config, keys);
const got = await client.genericGrantRequest(
  config,
  "urn:ietf:params:oauth:grant-type:token-exchange",
  {
    subject_token: told.subject,
    subject_token_type: told.subject_type,
    audience: told.audience,
    scope: told.scope,
  },
  { DPoP },
);
// Introspection is a resource that takes such tokens, with a proof for each request.
const answer = await client.fetchProtectedResource(
  config,
  got.access_token,
  new URL(config.serverMetadata().introspection_endpoint),
  "POST",
  new URLSearchParams({ token: got.access_token }),
  new Headers(),
  { DPoP },
);
show(got.access_token, got.token_type, (await answer.json()).active);
