// Users for the peer: a sign-in form that checks a password by argon2id at the cost that Ostiary spends, consent given
// without asking (a first-party application), and a public client with PKCE whose refresh tokens rotate.
import { argon2, argon2Sync, randomBytes, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';

const COST = { parallelism: 1, tagLength: 32, memory: 19456, passes: 2 };
const hash = promisify(argon2);

// One password at a time, as Ostiary does: the pool of threads, which signs tokens too, is not filled with them.
let last = Promise.resolve();
const hashed = (message, nonce) => (last = last.then(() => hash('argon2id', { ...COST, nonce, message })));

// The adapter of oidc-provider's own keeps the last 1000 things only; this one forgets nothing that counts here.
class Kept {
  static #all = new Map();
  static #byUid = new Map();
  static #byGrant = new Map();
  constructor(name) { this.name = name; }
  #key(id) { return `${this.name}:${id}`; }
  async upsert(id, payload) {
    const key = this.#key(id);
    Kept.#all.set(key, payload);
    if (payload.uid) Kept.#byUid.set(`${this.name}:${payload.uid}`, id);
    if (payload.grantId) Kept.#byGrant.set(payload.grantId, (Kept.#byGrant.get(payload.grantId) ?? new Set()).add(key));
  }
  async find(id) { return Kept.#all.get(this.#key(id)); }
  async findByUid(uid) { return this.find(Kept.#byUid.get(`${this.name}:${uid}`)); }
  async consume(id) { Kept.#all.get(this.#key(id)).consumed = Math.floor(Date.now() / 1000); }
  async destroy(id) { Kept.#all.delete(this.#key(id)); }
  async revokeByGrantId(grantId) { for (const key of Kept.#byGrant.get(grantId) ?? []) Kept.#all.delete(key); }
}

export function configurationFor({ application, redirectUri }) {
  return {
    adapter: Kept,
    cookies: { keys: [randomBytes(32).toString('hex')] },
    ttl: { AuthorizationCode: 60, AccessToken: 600, IdToken: 300, Grant: 86400, Interaction: 3600, Session: 86400 },
    claims: { openid: ['sub'], profile: ['name', 'preferred_username'] },
    interactions: { url: (ctx, interaction) => `/interaction/${interaction.uid}` },
    issueRefreshToken: (ctx, client) => client.grantTypeAllowed('refresh_token'),
    rotateRefreshToken: true,
    findAccount: (ctx, id) => ({
      accountId: id,
      claims: () => ({ sub: id, name: 'Bench User', preferred_username: id }),
    }),
    loadExistingGrant: async ({ oidc }) => {
      const known = oidc.session.grantIdFor(oidc.client.clientId);
      const found = known && await oidc.provider.Grant.find(known);
      if (found) return found;
      const grant = new oidc.provider.Grant({ clientId: oidc.client.clientId, accountId: oidc.session.accountId });
      grant.addOIDCScope('openid profile');
      await grant.save();
      return grant;
    },
    client: {
      client_id: application,
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      redirect_uris: [redirectUri],
      token_endpoint_auth_method: 'none',
      id_token_signed_response_alg: 'ES256',
    },
  };
}

export function signIns(provider, { users, password }) {
  const nonce = randomBytes(16);
  const known = argon2Sync('argon2id', { ...COST, nonce, message: password });
  const names = new Set(users);
  return async (ctx, next) => {
    if (ctx.method !== 'POST' || !ctx.path.startsWith('/interaction/')) return next();
    let text = '';
    for await (const part of ctx.req) text += part;
    const form = new URLSearchParams(text);
    const found = await hashed(form.get('password') ?? '', nonce);
    await provider.interactionDetails(ctx.req, ctx.res);
    if (!names.has(form.get('username')) || !timingSafeEqual(found, known)) {
      ctx.status = 400;
      return undefined;
    }
    ctx.respond = false;
    return provider.interactionFinished(ctx.req, ctx.res, { login: { accountId: form.get('username') } });
  };
}
