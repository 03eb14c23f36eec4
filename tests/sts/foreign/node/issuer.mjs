// A foreign OpenID provider (npm oidc-provider) for tests: `node issuer.mjs [OPTIONS]`.
//
// OPTIONS is one JSON object, all of it optional: {port, certificate, key, id_token_ttl,
// client}. With certificate and key (PEM files) it speaks https. `client` is the id of
// one more client like the first: id tokens have that audience. NODE_HOME says where the
// packages are. Once it listens it prints one line of JSON: {issuer, pid}.
//
// Nobody signs in here by hand: whoever comes is the account that `login_hint` names,
// ana@example.com where there is none, and consents. nobody@example.com declines.
//
// SIGUSR1 rotates the keys: new ones sign, old ones stay in the set; the answer is
// another line of JSON, {rotated: [kid...]}, with the keys that sign now.
//
// Clients: `answerable` and `answerable-rs256` (public, native, code and device flow),
// `ci-job` with the secret `ci-job-secret` (client_credentials; JWT access tokens for
// any `resource`, signed with RS256 where that ends in /rs256).

import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createServer as createSecureServer } from "node:https";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const require = createRequire(`${process.env.NODE_HOME}/`);
const load = (name) => import(pathToFileURL(require.resolve(name)).href);

// Its notices go to standard error; standard output has our lines alone.
console.info = console.log = console.warn = console.error;
const { Provider, errors } = await load("oidc-provider");
const { calculateJwkThumbprint, exportJWK, generateKeyPair } = await load("jose");

const options = JSON.parse(process.argv[2] ?? "{}");
const secure = Boolean(options.certificate);
const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);

const ALGS = ["ES256", "RS256"];
const DEFAULT_ACCOUNT = "ana@example.com";
const DECLINES = "nobody@example.com";
const DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code";

async function freshKeys() {
  return Promise.all(
    ALGS.map(async (alg) => {
      const { privateKey } = await generateKeyPair(alg, { extractable: true });
      const jwk = await exportJWK(privateKey);
      return { ...jwk, kid: await calculateJwkThumbprint(jwk), alg, use: "sig" };
    }),
  );
}

const native = (id, alg) => ({
  client_id: id,
  application_type: "native",
  token_endpoint_auth_method: "none",
  grant_types: ["authorization_code", DEVICE_CODE],
  response_types: ["code"],
  // A native client may add any port to a loopback address (RFC 8252 7.3).
  redirect_uris: [
    "http://127.0.0.1/callback", // `answerable login`
    "http://127.0.0.1/sign-in/callback", // the web page
  ],
  id_token_signed_response_alg: alg,
});

function configuration(keys) {
  return {
    jwks: { keys },
    cookies: { keys: ["a cookie key of the test issuer"] },
    clients: [
      native("answerable", "ES256"),
      native("answerable-rs256", "RS256"),
      ...(options.client ? [native(options.client, "ES256")] : []),
      {
        client_id: "ci-job",
        client_secret: "ci-job-secret",
        grant_types: ["client_credentials"],
        redirect_uris: [],
        response_types: [],
      },
    ],
    claims: { openid: ["sub"], email: ["email", "email_verified"] },
    scopes: ["openid", "email", "tools:read", "tools:deploy"],
    enabledJWA: { idTokenSigningAlgValues: ALGS },
    ttl: {
      AuthorizationCode: 60,
      IdToken: options.id_token_ttl ?? 300,
      AccessToken: 300,
      ClientCredentials: 300,
      DeviceCode: 300,
      Interaction: 300,
      Grant: 300,
      Session: 300,
    },
    features: {
      devInteractions: { enabled: false },
      claimsParameter: { enabled: true },
      clientCredentials: { enabled: true },
      deviceFlow: { enabled: true },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (ctx, resource) => ({
          audience: resource,
          scope: "tools:read tools:deploy",
          accessTokenFormat: "jwt",
          accessTokenTTL: 300,
          jwt: { sign: { alg: resource.endsWith("/rs256") ? "RS256" : "ES256" } },
        }),
      },
    },
    interactions: { url: (ctx, interaction) => `/interaction/${interaction.uid}` },
    findAccount: (ctx, id) => ({
      accountId: id,
      claims: () => ({
        sub: id,
        email: `${id.replace(/^account-/, "")}@example.com`,
        email_verified: true,
      }),
    }),
  };
}

async function interact(provider, req, res) {
  const { prompt, params, session, grantId } = await provider.interactionDetails(
    req,
    res,
  );
  const hint = params.login_hint ?? DEFAULT_ACCOUNT;
  let result;
  if (hint === DECLINES) {
    result = { error: "access_denied", error_description: "the account declined" };
  } else if (prompt.name === "login") {
    result = { login: { accountId: `account-${hint.split("@")[0]}` } };
  } else {
    const grant =
      (grantId && (await provider.Grant.find(grantId))) ||
      new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
    grant.addOIDCScope(params.scope ?? "openid");
    grant.addOIDCClaims(prompt.details.missingOIDCClaims ?? []);
    result = { consent: { grantId: await grant.save() } };
  }
  await provider.interactionFinished(req, res, result, {
    mergeWithLastSubmission: true,
  });
}

let provider;
let serve;
let keys = [];

async function rotate(issuer) {
  const fresh = await freshKeys();
  keys = [...fresh, ...keys];
  // Another provider over the same memory: codes and sessions live on.
  provider = new Provider(issuer, configuration(keys));
  serve = provider.callback();
  return fresh.map((key) => key.kid);
}

const handle = (req, res) => {
  if (!req.url.startsWith("/interaction/")) return serve(req, res);
  return interact(provider, req, res).catch((error) => {
    res.statusCode = error instanceof errors.OIDCProviderError ? 400 : 500;
    res.end();
  });
};
const server = secure
  ? createSecureServer(
      { cert: readFileSync(options.certificate), key: readFileSync(options.key) },
      handle,
    )
  : createServer(handle);

server.listen(options.port ?? 0, "127.0.0.1", async () => {
  const issuer = `${secure ? "https" : "http"}://127.0.0.1:${server.address().port}`;
  await rotate(issuer);
  say({ issuer, pid: process.pid });
  process.on("SIGUSR1", async () => say({ rotated: await rotate(issuer) }));
});
for (const signal of ["SIGTERM", "SIGINT"]) process.on(signal, () => process.exit(0));
