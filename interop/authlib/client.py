"""A client that nobody here wrote, asked by a test.

The first line on stdin names the issuer. Each further line is a request for a token, answered by one
line: what the token says once its signature is verified, or the error. It ends when its stdin does.
"""

import json
import sys
import time

from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata
from joserfc import jwt
from joserfc.jwk import KeySet
import requests


def say(value):
    print(json.dumps(value), flush=True)


def get(url):
    reply = direct.get(url, timeout=20)
    reply.raise_for_status()
    return reply.json()


class Keys:
    """The issuer's keys: like an API, it asks again only for a key that it does not know."""

    def __init__(self, url):
        self.url = url
        self.known = KeySet([])

    def __call__(self, token):
        wanted = token.headers()["kid"]
        if wanted not in [key.kid for key in self.known.keys]:
            self.known = KeySet.import_key_set(get(self.url))
        return self.known.get_by_kid(wanted)


def verify(request):
    token = jwt.decode(request["token"], keys, algorithms=["RS256"])
    rules = jwt.JWTClaimsRegistry(
        now=int(time.time()),
        iss={"essential": True, "value": issuer},
        aud={"essential": True, "value": request["audience"]},
        exp={"essential": True},
        iat={"essential": True},
        sub={"essential": True},
    )
    rules.validate(token.claims)
    return {"claims": token.claims, "key": token.header["kid"]}


def token(request):
    parameters = {"audience": request["audience"]}
    if request.get("scope"):
        parameters["scope"] = request["scope"]
    method = {"basic": "client_secret_basic", "post": "client_secret_post"}[request["method"]]
    session = OAuth2Session(
        request["client_id"], request["client_secret"], token_endpoint_auth_method=method
    )
    session.trust_env = False
    # Its errors leave out the status and the headers.
    session.register_compliance_hook("access_token_response", remember)
    reply = session.fetch_token(
        metadata["token_endpoint"], grant_type="client_credentials", **parameters
    )
    verified = verify({"token": reply["access_token"], "audience": request["audience"]})
    return {
        "token": reply["access_token"],
        "scope": reply.get("scope"),
        "expires_in": reply.get("expires_in"),
        **verified,
    }


def remember(response):
    global seen
    seen = {"status": response.status_code, "retry_after": response.headers.get("retry-after")}
    return response


def answer(request):
    try:
        return {"ok": {"token": token, "verify": verify}[request["do"]](request)}
    except OAuthError as error:
        return {"error": {**seen, "code": error.error}}
    except Exception as error:
        return {"error": {"problem": f"{type(error).__name__}: {error}"}}


seen = {}
# Whatever proxy the system names, it is not for an issuer on this machine.
direct = requests.Session()
direct.trust_env = False
issuer = json.loads(sys.stdin.readline())["issuer"]
metadata = AuthorizationServerMetadata(get(f"{issuer}/.well-known/openid-configuration"))
assert metadata["issuer"] == issuer
keys = Keys(metadata["jwks_uri"])
say({"token_endpoint": metadata["token_endpoint"]})
for line in iter(sys.stdin.readline, ""):
    say(answer(json.loads(line)))
