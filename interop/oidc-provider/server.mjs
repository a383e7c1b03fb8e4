// An authorization server that nobody here wrote, for one test.
//
// The first line on stdin is its settings: `host`, `port`, `lifetime` of access tokens in seconds, `apis` (what each
// resource may be asked for) and `clients` (their registered metadata). It answers with its issuer. Each further
// line is a command, answered by one line. It ends when its stdin does, so it never outlives the test.

import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { Provider, errors } from 'oidc-provider';

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const say = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);

const settings = JSON.parse((await lines.next()).value);
const requests = [];
const keys = [];
let issuer;
let serve;

function newKey() {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  keys.unshift({ ...privateKey.export({ format: 'jwk' }), kid: randomUUID(), alg: 'ES256', use: 'sig' });
}

function resourceServer(_context, resource) {
  const scope = settings.apis[resource];
  if (scope === undefined) throw new errors.InvalidTarget();
  return {
    scope,
    audience: resource,
    accessTokenTTL: settings.lifetime,
    accessTokenFormat: 'jwt',
    jwt: { sign: { alg: 'ES256', kid: keys[0].kid } },
  };
}

// Its keys are fixed when it is made: a rotation makes it anew, as a deployment would.
function makeProvider() {
  const provider = new Provider(issuer, {
    clients: settings.clients,
    clientDefaults: { id_token_signed_response_alg: 'ES256' },
    cookies: { keys: [randomUUID()] },
    enabledJWA: { idTokenSigningAlgValues: ['ES256'] },
    // A client's list of scopes is a cap only for scopes that stand here.
    scopes: ['openid', ...new Set(Object.values(settings.apis).flatMap((scope) => scope.split(' ')))],
    ttl: { ClientCredentials: settings.lifetime },
    jwks: { keys },
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
      introspection: { enabled: true, allowedPolicy: () => true },
      resourceIndicators: { enabled: true, getResourceServerInfo: resourceServer },
    },
  });
  provider.use(async (context, next) => {
    const request = { path: context.path };
    requests.push(request);
    await next();
    request.status = context.status;
  });
  serve = provider.callback();
}

const commands = {
  count: ({ path }) => requests.filter((request) => request.path === path).length,
  rotate_keys: () => {
    newKey();
    makeProvider();
    return keys[0].kid;
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
