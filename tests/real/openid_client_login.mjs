// openid-client, unmodified: the code flow in two steps. "begin" prints the URL and what to keep; "finish" the tokens.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [folder, step, issuer, clientFile, redirectUri, resource] = process.argv.slice(2);
const entry = createRequire(`${folder}/package.json`).resolve("openid-client");
const oidc = await import(pathToFileURL(entry).href);
const given = JSON.parse(readFileSync(0, "utf8") || "{}");

const { client_id, private_key } = JSON.parse(readFileSync(clientFile, "utf8"));
const { kid, alg, ...jwk } = private_key;
const key = await crypto.subtle.importKey("jwk", jwk, { name: "ECDSA", namedCurve: "P-256" }, false, ["sign"]);
// ostiary dev is http on loopback, which the library refuses unless it is told.
const config = await oidc.discovery(
  new URL(issuer), client_id, { id_token_signed_response_alg: "ES256" }, oidc.PrivateKeyJwt({ key, kid }),
  { execute: [oidc.allowInsecureRequests] },
);

if (step === "begin") {
  const verifier = oidc.randomPKCECodeVerifier();
  const kept = { verifier, state: oidc.randomState(), nonce: oidc.randomNonce() };
  const url = oidc.buildAuthorizationUrl(config, {
    redirect_uri: redirectUri, scope: "openid profile orders:read offline_access", resource, prompt: "consent",
    state: kept.state, nonce: kept.nonce, max_age: "600",
    code_challenge: await oidc.calculatePKCECodeChallenge(verifier), code_challenge_method: "S256",
  });
  console.log(JSON.stringify({ url: url.href, kept }));
} else {
  const { verifier, state, nonce } = given.kept;
  const tokens = await oidc.authorizationCodeGrant(config, new URL(given.back), {
    pkceCodeVerifier: verifier, expectedState: state, expectedNonce: nonce, maxAge: 600, idTokenExpected: true,
  });
  const claims = tokens.claims();
  const userinfo = await oidc.fetchUserInfo(config, tokens.access_token, claims.sub);
  const refreshed = await oidc.refreshTokenGrant(config, tokens.refresh_token);
  const signOut = oidc.buildEndSessionUrl(config, { id_token_hint: refreshed.id_token ?? tokens.id_token });
  console.log(JSON.stringify({ claims, userinfo, access_token: refreshed.access_token, sign_out: signOut.href,
    rotated: refreshed.refresh_token !== tokens.refresh_token }));
}
