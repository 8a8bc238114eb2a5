// openid-client, unmodified: introspection with a signed answer (RFC 9701). Prints what it was told as a JSON object.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [folder, issuer, apiFile, tokenFile] = process.argv.slice(2);
const oidc = await import(pathToFileURL(createRequire(`${folder}/package.json`).resolve("openid-client")).href);

const { client_id, private_key } = JSON.parse(readFileSync(apiFile, "utf8"));
const { kid, alg, ...jwk } = private_key;
const key = await crypto.subtle.importKey("jwk", jwk, { name: "ECDSA", namedCurve: "P-256" }, false, ["sign"]);
const wanted = { introspection_signed_response_alg: "ES256" };
const api = await oidc.discovery(new URL(issuer), client_id, wanted, oidc.PrivateKeyJwt({ key, kid }), {
  algorithm: "oauth2",
  execute: [oidc.enableNonRepudiationChecks],
});
const told = await oidc.tokenIntrospection(api, readFileSync(tokenFile, "utf8").trim());
console.log(JSON.stringify(told));
