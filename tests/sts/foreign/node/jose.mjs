// jose: verifies a token of ours as a resource server would, by our metadata and keys.
import { load, show, told } from "./assignment.mjs";

const { createRemoteJWKSet, jwtVerify } = await load("jose");
const place = new URL(`${told.issuer}/.well-known/oauth-authorization-server`);
const metadata = await (await fetch(place)).json();
const keys = createRemoteJWKSet(new URL(metadata.jwks_uri));
const expected = { issuer: metadata.issuer, typ: "at+jwt", algorithms: ["ES256"] };
await jwtVerify(told.subject, keys, { ...expected, audience: told.audience });

// It tells one audience from another, too.
const other = { ...expected, audience: `${told.audience}/` };
const taken = await jwtVerify(told.subject, keys, other).then(
  () => true,
  (error) => error.code !== "ERR_JWT_CLAIM_VALIDATION_FAILED",
);
if (taken) throw new Error("taken for another audience");
show(told.subject, "Bearer", true);
