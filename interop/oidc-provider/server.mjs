// An authorization server that nobody here wrote, for one test.
//
// The first line on stdin is its settings: `host`, `port`, `lifetime` of access tokens in seconds, `apis` (what each
// resource may be asked for) and `clients` (their registered metadata). With `people`, somebody can sign in: at the
// pages that it brings for development, under any name and with any password. It answers with its issuer. Each further
// line is a command, answered by one line. It ends when its stdin does, so it never outlives the test.

import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { Provider, errors } from 'oidc-provider';

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
// What it has to say about its own pages is no answer.
console.info = console.error;
const say = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);

const settings = JSON.parse((await lines.next()).value);
const requests = [];
const keys = [];
const cookieKeys = [randomUUID()];
let slowDowns = 0;
let issuer;
let serve;

function newKey() {
  addKey('ES256', 'ec', { namedCurve: 'P-256' });
  // What an ID token is signed with unless a client registers something else; it takes a while to make.
  if (settings.people) addKey('RS256', 'rsa', { modulusLength: 2048 });
}

function addKey(alg, type, parameters) {
  const { privateKey } = generateKeyPairSync(type, parameters);
  keys.unshift({ ...privateKey.export({ format: 'jwk' }), kid: randomUUID(), alg, use: 'sig' });
}

const newest = (alg) => keys.find((key) => key.alg === alg);

function resourceServer(_context, resource) {
  const scope = settings.apis[resource];
  if (scope === undefined) throw new errors.InvalidTarget();
  return {
    scope,
    audience: resource,
    accessTokenTTL: settings.lifetime,
    accessTokenFormat: 'jwt',
    jwt: { sign: { alg: 'ES256', kid: newest('ES256').kid } },
  };
}

// Its keys are fixed when it is made: a rotation makes it anew, as a deployment would.
function makeProvider() {
  const provider = new Provider(issuer, {
    clients: settings.clients,
    clientDefaults: { id_token_signed_response_alg: 'ES256' },
    cookies: { keys: cookieKeys },
    enabledJWA: { idTokenSigningAlgValues: settings.people ? ['ES256', 'RS256'] : ['ES256'] },
    findAccount: (_context, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
    // So that a token which is used twice is noticed.
    rotateRefreshToken: true,
    // A client's list of scopes is a cap only for scopes that stand here.
    scopes: ['openid', 'offline_access', ...new Set(Object.values(settings.apis).flatMap((scope) => scope.split(' ')))],
    ttl: { ClientCredentials: settings.lifetime },
    jwks: { keys },
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: Boolean(settings.people) },
      deviceFlow: { enabled: Boolean(settings.people) },
      revocation: { enabled: Boolean(settings.people) },
      introspection: { enabled: true, allowedPolicy: () => true },
      resourceIndicators: { enabled: true, getResourceServerInfo: resourceServer },
    },
  });
  provider.use(async (context, next) => {
    const request = { path: context.path };
    requests.push(request);
    try {
      if (context.path === '/token' && slowDowns > 0) {
        slowDowns -= 1;
        const { error, error_description, status } = new errors.SlowDown();
        Object.assign(context, { status, body: { error, error_description } });
      } else {
        await next();
      }
    } finally {
      Object.assign(request, {
        status: context.status,
        grant: context.oidc?.params?.grant_type,
        resource: context.oidc?.params?.resource,
        error: context.body?.error,
        description: context.body?.error_description,
      });
    }
  });
  serve = provider.callback();
}

const commands = {
  // How many requests were such: their path, and what else is asked for.
  count: ({ do: _, ...wanted }) => {
    const isSuch = (request) => Object.entries(wanted).every(([name, value]) => request[name] === value);
    return requests.filter(isSuch).length;
  },
  slow_down: ({ times }) => {
    slowDowns = times;
    return times;
  },
  rotate_keys: () => {
    newKey();
    makeProvider();
    return newest('ES256').kid;
  },
};

const server = createServer((request, response) => serve(request, response));
server.listen(settings.port, settings.host, async () => {
  issuer = `http://${settings.host}:${server.address().port}`;
  newKey();
  makeProvider();
  say({ issuer });
  for await (const line of lines) {
    const command = JSON.parse(line);
    say(commands[command.do](command));
  }
  process.exit();
});
