// google-auth-library: an external account, as for Google Cloud.
import { load, show, told } from "./assignment.mjs";

const { IdentityPoolClient } = await load("google-auth-library");
const client = new IdentityPoolClient({
  type: "external_account",
  audience: told.audience,
  subject_token_type: told.subject_type,
  token_url: `${told.issuer}/token`,
  subject_token_supplier: { getSubjectToken: async () => told.subject },
  scopes: told.scope.split(" "),
});
const { token } = await client.getAccessToken();
show(token, "Bearer");
