// jose: verifies a token of ours as a resource server would, by our metadata and keys.
import { readFileSync } from "node:fs";
import { createRemoteJWKSet, jwtVerify } from "jose";

const told = JSON.parse(readFileSync(0, "utf8"));
const place = new URL(`${told.issuer}/.well-known/oauth-authorization-server`);
const metadata = await (await fetch(place)).json();
const { payload } = await jwtVerify(
  told.subject,
  createRemoteJWKSet(new URL(metadata.jwks_uri)),
  { issuer: told.issuer, audience: told.audience, typ: "at+jwt", algorithms: ["ES256"] },
);
console.log(JSON.stringify({ token: told.subject, kind: payload.sub }));
