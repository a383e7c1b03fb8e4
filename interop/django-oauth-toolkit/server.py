"""An authorization server that nobody here wrote, for one test: Django with django-oauth-toolkit.

The first line on stdin is its settings: `scopes`, all that it knows beside `openid`. It answers with its issuer and the
client. `sign_in` follows an authorization URL as the person's browser would, and answers with where it ends. Each
further line is a command, answered by one line. It ends when its stdin does, so it never outlives the test.
"""

import json
import sys
import tempfile
import threading
from pathlib import Path
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

import django
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from django.conf import settings as django_settings

PREFIX = "/o"
CALLBACKS = "http://127.0.0.1/callback https://portal.example/callback"

answers = sys.stdout
sys.stdout = sys.stderr
requests = []


class Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class Quiet(WSGIRequestHandler):
    def log_message(self, *_):
        pass


def say(value):
    print(json.dumps(value), file=answers, flush=True)


def private_key():
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return key.private_bytes(*form).decode()


def configure(wanted, folder, base):
    django_settings.configure(
        SECRET_KEY="of-one-test",
        DEBUG=False,
        ALLOWED_HOSTS=["127.0.0.1", "testserver"],
        ROOT_URLCONF=__name__,
        USE_TZ=True,
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": str(folder / "db"), "OPTIONS": {"timeout": 20}}},
        INSTALLED_APPS=[
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.sessions",
            "django.contrib.messages",
            "oauth2_provider",
        ],
        MIDDLEWARE=[
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
        ],
        TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}],
        PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
        OAUTH2_PROVIDER={
            "OIDC_ENABLED": True,
            "OIDC_ISS_ENDPOINT": base + PREFIX,
            "OIDC_RSA_PRIVATE_KEY": private_key(),
            "OIDC_RP_INITIATED_LOGOUT_ENABLED": True,
            "ALLOWED_SCHEMES": ["http", "https"],
            "SCOPES": {"openid": "who you are", **{scope: scope for scope in wanted["scopes"]}},
            "DEFAULT_SCOPES": ["openid"],
            "REFRESH_TOKEN_REUSE_PROTECTION": True,
            "ALLOW_LOCALHOST_LOOPBACK": True,
        },
    )
    django.setup()


def application(environ, start):
    requests.append(environ["PATH_INFO"])
    return handler(environ, start)


def register():
    from django.contrib.auth.models import User
    from oauth2_provider.models import get_application_model

    User.objects.create_user("alice", password="alice-password")
    made = get_application_model().objects.create(
        name="desktop",
        client_type="public",
        authorization_grant_type="authorization-code",
        redirect_uris=CALLBACKS,
        algorithm="RS256",
    )
    return made.client_id


def sign_in(command):
    """The person is at home at the server already: what is left is the page that asks whether they allow it."""
    from urllib.parse import urlsplit

    from django.contrib.auth.models import User
    from django.test import Client

    browser = Client()
    browser.force_login(User.objects.get(username="alice"))
    parts = urlsplit(command["url"])
    page = browser.get(f"{parts.path}?{parts.query}", HTTP_HOST=parts.netloc)
    if page.status_code == 302:
        return page["Location"]
    form = {name: value for name, value in page.context["form"].initial.items() if value is not None}
    if not command.get("cancel"):
        form["allow"] = "Authorize"
    return browser.post(f"{parts.path}?{parts.query}", form, HTTP_HOST=parts.netloc)["Location"]


def main():
    global handler
    wanted = json.loads(sys.stdin.readline())
    with tempfile.TemporaryDirectory() as folder:
        server = Server(("127.0.0.1", 0), Quiet)
        base = f"http://127.0.0.1:{server.server_port}"
        configure(wanted, Path(folder), base)
        from django.core.handlers.wsgi import WSGIHandler
        from django.core.management import call_command
        from django.test.utils import setup_test_environment
        from django.urls import include, path
        from oauth2_provider import urls

        module = sys.modules[__name__]
        module.urlpatterns = [
            *urls.metadata_urlpatterns,
            path(PREFIX.strip("/") + "/", include((urls.base_urlpatterns + urls.oidc_urlpatterns, "oauth2_provider"))),
        ]
        call_command("migrate", verbosity=0)
        handler = WSGIHandler()
        server.set_app(application)
        client_id = register()
        # So that the page's form can be looked at.
        setup_test_environment()
        threading.Thread(target=server.serve_forever, daemon=True).start()
        say({"issuer": base + PREFIX, "client_id": client_id})
        for line in sys.stdin:
            command = json.loads(line)
            if command["do"] == "sign_in":
                say(sign_in(command))
            elif command["do"] == "count":
                say(sum(known.endswith(command["path"]) for known in requests))


handler = None
urlpatterns = []

if __name__ == "__main__":
    main()
