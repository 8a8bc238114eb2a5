// The peer: npm oidc-provider, in memory, on the terms that Ostiary is measured on: private_key_jwt with ES256, JWT
// access tokens signed with ES256 (RFC 9068) for one resource, opaque ones for another, introspection by that API.
// With "people" it signs users in, too (people.mjs). Reads its configuration (port, issuer, client and API keys, people)
// from the file named as its only argument.
import { readFileSync } from 'node:fs';
import { generateKeyPairSync } from 'node:crypto';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const { port, issuer, clients, jwtResource, opaqueResource, modules, people } = JSON.parse(readFileSync(process.argv[2]));
const entry = createRequire(`${modules}/`).resolve('oidc-provider');
const { default: Provider } = await import(pathToFileURL(entry));
const { configurationFor, signIns } = people ? await import('./people.mjs') : {};
const { client: application, ...withPeople } = people ? configurationFor(people) : {};

const signingKey = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' });
const provider = new Provider(issuer, {
  ...withPeople,
  clients: [...(application ? [application] : []), ...clients.map(({ clientId, jwk }) => ({
    client_id: clientId,
    grant_types: ['client_credentials'],
    redirect_uris: [],
    response_types: [],
    token_endpoint_auth_method: 'private_key_jwt',
    token_endpoint_auth_signing_alg: 'ES256',
    id_token_signed_response_alg: 'ES256',
    jwks: { keys: [jwk] },
  }))],
  clientAuthMethods: ['private_key_jwt', ...(people ? ['none'] : [])],
  enabledJWA: { clientAuthSigningAlgValues: ['ES256'] },
  jwks: { keys: [{ ...signingKey, kid: 'bench', alg: 'ES256', use: 'sig' }] },
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    introspection: { enabled: true, allowedPolicy: (ctx, client, token) => [].concat(token.aud).includes(opaqueResource) },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: (ctx, resource) => ({
        scope: 'orders:read',
        audience: resource,
        accessTokenTTL: 600,
        accessTokenFormat: resource === jwtResource ? 'jwt' : 'opaque',
        jwt: { sign: { alg: 'ES256' } },
      }),
    },
  },
});
if (people) provider.use(signIns(provider, people));
provider.on('server_error', (ctx, error) => console.error(error));
provider.listen(port, '127.0.0.1', () => console.log('ready'));
