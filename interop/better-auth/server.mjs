// An authorization server that nobody here wrote, for one test: better-auth with its OAuth provider.
//
// The first line on stdin is its settings: `apis` (what each resource may be asked for) and `grace`, for how many seconds
// a refresh is answered again. It answers with its issuer and the client. Somebody signs in with `sign_in`: that follows
// the authorization URL as a browser would, and answers with where it ends. Each further line is a command, answered
// by one line. It ends when its stdin does, so it never outlives the test.

import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
import { randomUUID } from 'node:crypto';
import { betterAuth } from 'better-auth';
import { memoryAdapter } from 'better-auth/adapters/memory';
import { toNodeHandler } from 'better-auth/node';
import { jwt } from 'better-auth/plugins';
import { oauthProvider } from '@better-auth/oauth-provider';

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
for (const level of ['log', 'info', 'warn']) console[level] = console.error;
const say = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);

const settings = JSON.parse((await lines.next()).value);
const person = { email: 'alice@example.com', password: 'alice-password', name: 'Alice Doe' };
const requests = [];
const cookies = new Map();
let torn = 0;
let auth;
let handle;

const server = createServer((request, response) => {
  const path = request.url.split('?')[0];
  requests.push(path);
  if (path.endsWith('/oauth2/token') && torn > 0) {
    torn -= 1;
    // The answer is lost on its way: the server has done its part.
    response.end = ((end) => function lost() {
      response.socket.destroy();
      return end;
    })(response.end);
  }
  handle(request, response);
});

server.listen(0, '127.0.0.1', async () => {
  const base = `http://127.0.0.1:${server.address().port}`;
  const tables = ['user', 'session', 'account', 'verification', 'jwks', 'oauthClient', 'oauthRefreshToken',
    'oauthAccessToken', 'oauthConsent', 'oauthResource', 'oauthClientResource', 'oauthClientAssertion'];
  const database = Object.fromEntries(tables.map((table) => [table, []]));
  auth = betterAuth({
    baseURL: base,
    basePath: '/',
    secret: randomUUID() + randomUUID(),
    database: memoryAdapter(database),
    emailAndPassword: { enabled: true },
    rateLimit: { enabled: false },
    telemetry: { enabled: false },
    logger: { level: 'error' },
    disabledPaths: ['/token'],
    plugins: [
      jwt({ jwks: { keyPairConfig: { alg: 'RS256' } } }),
      oauthProvider({
        loginPage: '/sign-in',
        consentPage: '/consent',
        scopes: ['openid', 'profile', 'email', 'offline_access', ...new Set(Object.values(settings.apis).flatMap((scope) => scope.split(' ')))],
        resources: Object.keys(settings.apis),
        enforcePerClientResources: false,
        refreshTokenReuseInterval: settings.grace,
        silenceWarnings: { oauthAuthServerConfig: true, openidConfig: true },
      }),
    ],
  });
  handle = toNodeHandler(auth);
  const signedUp = await auth.api.signUpEmail({ body: person, asResponse: true });
  const cookie = signedUp.headers.getSetCookie().map((one) => one.split(';')[0]).join('; ');
  const client = await auth.api.adminCreateOAuthClient({
    headers: new Headers({ cookie }),
    body: {
      client_name: 'desktop',
      redirect_uris: ['http://127.0.0.1/callback', 'https://portal.example/callback'],
      token_endpoint_auth_method: 'none',
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      application_type: 'native',
    },
  });
  const configuration = await (await fetch(`${base}/.well-known/openid-configuration`)).json();
  say({ issuer: configuration.issuer, client_id: client.client_id });
  for await (const line of lines) {
    const command = JSON.parse(line);
    say(await commands[command.do](command, base));
  }
  process.exit();
});

// One request as a browser makes it, with the cookies that it was given.
async function visit(url, base, body) {
  const headers = { cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join('; '), origin: base, accept: 'application/json' };
  if (body) headers['content-type'] = 'application/json';
  const response = await fetch(url, { method: body ? 'POST' : 'GET', headers, body: body && JSON.stringify(body), redirect: 'manual' });
  for (const cookie of response.headers.getSetCookie()) {
    const [pair] = cookie.split(';');
    const at = pair.indexOf('=');
    cookies.set(pair.slice(0, at), pair.slice(at + 1));
  }
  return response;
}

async function next(response) {
  const place = response.headers.get('location');
  if (place) return place;
  const text = await response.text();
  try {
    const answer = JSON.parse(text);
    return answer.url ?? answer.redirect_uri ?? `nowhere: ${text}`;
  } catch {
    return `nowhere: ${response.status} ${text.slice(0, 300)}`;
  }
}

const commands = {
  // Follows the URL to where the person comes back to; with `cancel` they say no.
  sign_in: async ({ url, cancel }, base) => {
    let place = url;
    for (let step = 0; step < 8; step += 1) {
      const target = new URL(place, base);
      if (target.origin !== base) return target.href;
      const query = target.search.slice(1);
      if (target.pathname === '/sign-in') {
        place = await next(await visit(`${base}/sign-in/email`, base, { email: person.email, password: person.password, oauth_query: query }));
      } else if (target.pathname === '/consent') {
        place = await next(await visit(`${base}/oauth2/consent`, base, { accept: !cancel, oauth_query: query }));
      } else {
        place = await next(await visit(target, base));
      }
      if (place.startsWith('nowhere')) return place;
    }
    return place;
  },
  count: ({ path }) => requests.filter((known) => known.endsWith(path)).length,
  tear: ({ times }) => {
    torn = times;
    return times;
  },
};
