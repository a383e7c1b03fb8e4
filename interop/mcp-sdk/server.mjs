// An MCP server that describes itself, by another author, asked by a test.
//
// The first line on stdin is answered by the server's address: that is its name as well. The second one names
// the issuer, and is answered when the server is ready. Each further line is answered by what it has answered so
// far. It ends when its stdin does.

import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
import express from 'express';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { InvalidTokenError } from '@modelcontextprotocol/sdk/server/auth/errors.js';
import { requireBearerAuth } from '@modelcontextprotocol/sdk/server/auth/middleware/bearerAuth.js';
import {
  getOAuthProtectedResourceMetadataUrl,
  mcpAuthMetadataRouter,
} from '@modelcontextprotocol/sdk/server/auth/router.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';

const say = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const ask = async () => JSON.parse((await lines.next()).value);

await ask();
const app = express();
const server = createServer(app);
await new Promise((ready) => server.listen(0, '127.0.0.1', ready));
const resource = new URL(`http://127.0.0.1:${server.address().port}/mcp`);
say({ url: resource.href });

const { issuer } = await ask();
const metadata = await (await fetch(`${issuer}/.well-known/openid-configuration`)).json();
const keys = createRemoteJWKSet(new URL(metadata.jwks_uri));
const answered = {};

const verifier = {
  async verifyAccessToken(token) {
    try {
      const rules = { issuer, audience: resource.href };
      const { payload } = await jwtVerify(token, keys, rules);
      return {
        token,
        clientId: payload.client_id ?? payload.azp ?? '',
        scopes: (payload.scope ?? '').split(' '),
        expiresAt: payload.exp,
        extra: { subject: payload.sub },
      };
    } catch (error) {
      throw new InvalidTokenError(error.message);
    }
  },
};

app.use((request, response, next) => {
  response.on('finish', () => {
    const key = `${request.path} ${response.statusCode}`;
    answered[key] = (answered[key] ?? 0) + 1;
  });
  next();
});
const scopes = ['read:tools', 'call:tools'];
app.use(
  mcpAuthMetadataRouter({
    oauthMetadata: metadata,
    resourceServerUrl: resource,
    scopesSupported: scopes,
    resourceName: 'Tools',
  }),
);
const described = getOAuthProtectedResourceMetadataUrl(resource);
const requiring = (scope) =>
  requireBearerAuth({ verifier, requiredScopes: [scope], resourceMetadataUrl: described });

app.post('/mcp', express.json(), (request, response, next) => {
  const scope = request.body?.method === 'tools/call' ? 'call:tools' : 'read:tools';
  requiring(scope)(request, response, next);
});
app.post('/mcp', async (request, response) => {
  const mcp = new McpServer({ name: 'tools', version: '1.0.0' });
  mcp.registerTool('whoami', { description: 'Whose token it is' }, ({ authInfo }) => ({
    content: [{ type: 'text', text: `you are ${authInfo.extra.subject}` }],
  }));
  const transport = new StreamableHTTPServerTransport({
    sessionIdGenerator: undefined,
    enableJsonResponse: true,
  });
  response.on('close', () => {
    transport.close();
    mcp.close();
  });
  await mcp.connect(transport);
  await transport.handleRequest(request, response, request.body);
});
say({ ready: true });

for await (const _ of lines) say({ answered });
process.exit(0);
