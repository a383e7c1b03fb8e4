// A client that nobody here wrote, asked by a test.
//
// The first line on stdin names the issuer. Each further line is a request for a token, answered by one line: what the
// token says once its signature is verified, or the error. It ends when its stdin does.

import { createInterface } from 'node:readline';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import * as openid from 'openid-client';

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const say = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);

const { issuer } = JSON.parse((await lines.next()).value);
const methods = { basic: openid.ClientSecretBasic, post: openid.ClientSecretPost };

async function discover({ client_id, client_secret, method }) {
  // Plain http is for an issuer on this machine.
  const options = { execute: [openid.allowInsecureRequests] };
  return openid.discovery(new URL(issuer), client_id, undefined, methods[method](client_secret), options);
}

const metadata = (await discover({ client_id: 'none', client_secret: 'none', method: 'basic' })).serverMetadata();
// One set for all tokens: like an API, it asks again only for a key that it does not know.
const keys = createRemoteJWKSet(new URL(metadata.jwks_uri), { cooldownDuration: 0 });

async function verify(token, audience) {
  const { payload, protectedHeader } = await jwtVerify(token, keys, {
    issuer,
    audience,
    algorithms: ['RS256'],
    requiredClaims: ['exp', 'iat', 'sub'],
  });
  return { claims: payload, key: protectedHeader.kid };
}

async function token(request) {
  const parameters = { audience: request.audience };
  if (request.scope) parameters.scope = request.scope;
  const reply = await openid.clientCredentialsGrant(await discover(request), parameters);
  const { claims, key } = await verify(reply.access_token, request.audience);
  return { token: reply.access_token, scope: reply.scope, expires_in: reply.expires_in, claims, key };
}

// Where there is a challenge this client reads that alone and leaves the body to its caller.
async function describe(error) {
  if (!error.response && error.error) return { code: error.error, status: error.status ?? null };
  if (!error.response) return { problem: `${error.name} ${error.code}: ${error.message}` };
  const code = error.error ?? (await error.response.json().catch(() => ({}))).error;
  return { status: error.response.status, code, retry_after: error.response.headers.get('retry-after') };
}

// An application of a person: on a device, without a secret.
const device = (client_id) =>
  openid.discovery(new URL(issuer), client_id, undefined, openid.None(), { execute: [openid.allowInsecureRequests] });

async function begin({ client_id, redirect_uri, scope }) {
  const verifier = openid.randomPKCECodeVerifier();
  const [state, nonce] = [openid.randomState(), openid.randomNonce()];
  const url = openid.buildAuthorizationUrl(await device(client_id), {
    redirect_uri,
    scope,
    state,
    nonce,
    code_challenge: await openid.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
  });
  return { url: url.href, verifier, state, nonce };
}

// The library checks state and iss of the callback, and signature, iss, aud, exp and nonce of the id token.
async function finish({ client_id, callback, verifier, state, nonce }) {
  const config = await device(client_id);
  const tokens = await openid.authorizationCodeGrant(config, new URL(callback), {
    pkceCodeVerifier: verifier,
    expectedState: state,
    expectedNonce: nonce,
    idTokenExpected: true,
  });
  const claims = tokens.claims();
  const userinfo = await openid.fetchUserInfo(config, tokens.access_token, claims.sub);
  return { ...tokens, claims, userinfo };
}

async function refresh({ client_id, refresh_token, audience, scope }) {
  const reply = await openid.refreshTokenGrant(await device(client_id), refresh_token, { audience, ...(scope && { scope }) });
  return { ...reply, ...(await verify(reply.access_token, audience)) };
}

async function device_flow({ client_id, scope }) {
  const config = await device(client_id);
  const begun = await openid.initiateDeviceAuthorization(config, { scope });
  // The test lets the device in while this polls.
  say({ ok: begun });
  const tokens = await openid.pollDeviceAuthorizationGrant(config, begun);
  return { ...tokens, claims: tokens.claims() };
}

const commands = {
  token: (request) => token(request),
  begin,
  finish,
  refresh,
  device_flow,
  verify: (request) => verify(request.token, request.audience),
};

say({ token_endpoint: metadata.token_endpoint });
for await (const line of lines) {
  const request = JSON.parse(line);
  // Only waiting for the second answer of the question before.
  if (!request) continue;
  try {
    say({ ok: await commands[request.do](request) });
  } catch (error) {
    say({ error: await describe(error) });
  }
}
