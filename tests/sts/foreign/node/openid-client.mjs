// openid-client: discovery, then a token exchange bound to a DPoP key.
import { readFileSync } from "node:fs";
import * as client from "openid-client";

const told = JSON.parse(readFileSync(0, "utf8"));
const config = await client.discovery(
  new URL(told.issuer),
  told.client_id,
  undefined,
  client.None(),
  { execute: [client.allowInsecureRequests], algorithm: "oauth2" },
);
const keys = await client.randomDPoPKeyPair("ES256");
const got = await client.genericGrantRequest(
  config,
  "urn:ietf:params:oauth:grant-type:token-exchange",
  {
    subject_token: told.subject,
    subject_token_type: told.subject_type,
    audience: told.audience,
    scope: told.scope,
  },
  { DPoP: client.getDPoPHandle(config, keys) },
);
console.log(JSON.stringify({ token: got.access_token, kind: got.token_type }));
