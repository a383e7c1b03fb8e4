"""An API of another author, asked by a test.

The first line on stdin names the issuer and the audience, and is answered by the API's address. Each further
line is a question: what it has answered so far, or to take no token any more that it has taken before. It ends
when its stdin does.
"""

import json
import logging
import sys
import threading
import time
from collections import Counter

from authlib.integrations.flask_oauth2 import ResourceProtector, current_token
from authlib.oauth2.rfc6750 import BearerTokenValidator
from flask import Flask, jsonify
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
import requests
from werkzeug.serving import make_server


def say(value):
    print(json.dumps(value), flush=True)


class Token:
    def __init__(self, claims):
        self.claims = claims

    def is_expired(self):
        return self.claims["exp"] < time.time()

    def is_revoked(self):
        return self.claims["jti"] in withdrawn

    def get_scope(self):
        return self.claims.get("scope", "")


class Validator(BearerTokenValidator):
    def authenticate_token(self, token_string):
        try:
            token = jwt.decode(token_string, keys, algorithms=["RS256"])
        except (JoseError, ValueError):
            return None
        claims = token.claims
        if claims["iss"] != settings["issuer"] or claims["aud"] != settings["audience"]:
            return None
        seen.add(claims["jti"])
        return Token(claims)


settings = json.loads(sys.stdin.readline())
# Whatever proxy the system names, it is not for an issuer on this machine.
direct = requests.Session()
direct.trust_env = False
metadata = direct.get(f"{settings['issuer']}/.well-known/openid-configuration", timeout=20).json()
keys = KeySet.import_key_set(direct.get(metadata["jwks_uri"], timeout=20).json())
answered, seen, withdrawn = Counter(), set(), set()

app = Flask(__name__)
protect = ResourceProtector()
protect.register_token_validator(Validator(realm="tools"))


@app.after_request
def count(response):
    answered[response.status_code] += 1
    return response


@app.get("/transactions")
@protect("read:transactions")
def transactions():
    return jsonify(of=current_token.claims["sub"])


@app.get("/accounts")
@protect("read:transactions read:accounts")
def accounts():
    return jsonify(of=current_token.claims["sub"])


logging.getLogger("werkzeug").setLevel(logging.ERROR)
server = make_server("127.0.0.1", 0, app, threaded=True)
threading.Thread(target=server.serve_forever, daemon=True).start()
say({"url": f"http://127.0.0.1:{server.server_port}"})
for line in iter(sys.stdin.readline, ""):
    if json.loads(line)["do"] == "withdraw":
        withdrawn.update(seen)
    say({"answered": answered})
