// An API of another author, asked by a test.
//
// The first line on stdin names the issuer and the audience, and is answered by the API's address. Each further
// line is a question: what it has answered so far, or to take no token any more that it has taken before. It
// ends when its stdin does.

import { createInterface } from 'node:readline';
import express from 'express';
import { auth, requiredScopes } from 'express-oauth2-jwt-bearer';

const say = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const { issuer, audience } = JSON.parse((await lines.next()).value);

const answered = {};
const seen = new Set();
const withdrawn = new Set();

const app = express();
app.use((request, response, next) => {
  response.on('finish', () => {
    answered[response.statusCode] = (answered[response.statusCode] ?? 0) + 1;
  });
  next();
});
app.use(
  auth({
    issuerBaseURL: issuer,
    audience,
    validators: {
      jti: (id) => {
        seen.add(id);
        return !withdrawn.has(id);
      },
    },
  }),
);
app.get('/transactions', requiredScopes('read:transactions'), (request, response) => {
  response.json({ of: request.auth.payload.sub });
});
app.get('/accounts', requiredScopes('read:transactions read:accounts'), (request, response) => {
  response.json({ of: request.auth.payload.sub });
});
// Its own words, and no page about the error.
app.use((error, request, response, next) => {
  response.set(error.headers ?? {}).status(error.status ?? 500).json({ error: error.code, message: error.message });
});

const server = app.listen(0, '127.0.0.1', () => {
  say({ url: `http://127.0.0.1:${server.address().port}` });
});

for await (const line of lines) {
  if (JSON.parse(line).do === 'withdraw') {
    for (const id of seen) withdrawn.add(id);
  }
  say({ answered });
}
process.exit(0);
