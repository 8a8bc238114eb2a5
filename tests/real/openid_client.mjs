// openid-client, unmodified: discovery, client_credentials by private_key_jwt, introspection. Prints one JSON object.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [folder, issuer, clientFile, apiFile, resource] = process.argv.slice(2);
const entry = createRequire(`${folder}/package.json`).resolve("openid-client");
const oidc = await import(pathToFileURL(entry).href);

async function configured(file) {
  const { client_id, private_key } = JSON.parse(readFileSync(file, "utf8"));
  const { kid, alg, ...jwk } = private_key;
  const key = await crypto.subtle.importKey("jwk", jwk, { name: "ECDSA", namedCurve: "P-256" }, false, ["sign"]);
  return oidc.discovery(new URL(issuer), client_id, undefined, oidc.PrivateKeyJwt({ key, kid }), { algorithm: "oauth2" });
}

const client = await configured(clientFile);
const token = await oidc.clientCredentialsGrant(client, { resource });
const told = await oidc.tokenIntrospection(await configured(apiFile), token.access_token);
console.log(JSON.stringify({ ...token, told }));
