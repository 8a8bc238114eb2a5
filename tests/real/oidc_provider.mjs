// npm oidc-provider, unmodified, as the upstream provider: over TLS, in memory, with its own development pages, where any
// name signs in. Reads its configuration from the file named as its only argument.
import { readFileSync } from 'node:fs';
import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:https';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const { port, issuer, clients, certificate, key, modules } = JSON.parse(readFileSync(process.argv[2]));
const entry = createRequire(`${modules}/`).resolve('oidc-provider');
const { default: Provider } = await import(pathToFileURL(entry));

const made = (type, options, members) => ({ ...generateKeyPairSync(type, options).privateKey.export({ format: 'jwk' }), ...members });
const provider = new Provider(issuer, {
  clients,
  jwks: {
    keys: [
      made('ec', { namedCurve: 'P-256' }, { kid: 'es', alg: 'ES256', use: 'sig' }),
      made('rsa', { modulusLength: 2048 }, { kid: 'rs', use: 'sig' }),
    ],
  },
  cookies: { keys: ['only-for-this-test'] },
  pkce: { required: () => true },
});
provider.on('server_error', (ctx, error) => console.error(error));
for (const name of ['authorization.error', 'grant.error']) provider.on(name, (ctx, error) => console.error(name, error));
createServer({ cert: readFileSync(certificate), key: readFileSync(key) }, provider.callback()).listen(port, '127.0.0.1', () =>
  console.log('ready'),
);
