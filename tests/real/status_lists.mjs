// @sd-jwt/jwt-status-list and jose, unmodified. "read": the status of a token by its list, verified against the JWKS.
// "make": the lists of some statuses, as that library writes them. Prints one JSON object.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [mode, folder, ...rest] = process.argv.slice(2);
const { resolve } = createRequire(`${folder}/package.json`);
const { StatusList, getListFromStatusListJWT, getStatusListFromJWT } = await import(
  pathToFileURL(resolve("@sd-jwt/jwt-status-list")).href
);

async function read(jwks, tokenFile) {
  const jose = await import(pathToFileURL(resolve("jose")).href);
  const { idx, uri } = getStatusListFromJWT(readFileSync(tokenFile, "utf8").trim());
  const response = await fetch(uri, { headers: { accept: "application/statuslist+jwt" } });
  const type = response.headers.get("content-type");
  const jwt = await response.text();
  const { payload } = await jose.jwtVerify(jwt, jose.createRemoteJWKSet(new URL(jwks)), {
    typ: "statuslist+jwt",
    subject: uri,
    requiredClaims: ["iat", "exp", "ttl"],
  });
  const list = getListFromStatusListJWT(jwt);
  return { idx, type, status: list.getStatus(idx), size: list.statusList.length, ttl: payload.ttl };
}

function make(statuses) {
  const written = JSON.parse(statuses).map(([bits, values]) => {
    const list = new StatusList(values, bits);
    return { bits, values, lst: list.compressStatusList() };
  });
  return { written };
}

console.log(JSON.stringify(mode === "read" ? await read(...rest) : make(...rest)));
