// google-auth-library: an external account, as for Google Cloud.
import { readFileSync } from "node:fs";
import { IdentityPoolClient } from "google-auth-library";

const told = JSON.parse(readFileSync(0, "utf8"));
const client = new IdentityPoolClient({
  type: "external_account",
  audience: told.audience,
  subject_token_type: told.subject_type,
  token_url: `${told.issuer}/token`,
  subject_token_supplier: { getSubjectToken: async () => told.subject },
  scopes: told.scope.split(" "),
});
const { token } = await client.getAccessToken();
console.log(JSON.stringify({ token, kind: "Bearer" }));
