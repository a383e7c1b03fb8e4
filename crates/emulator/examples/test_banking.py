"""The emulator from a test in Python, with nothing but its standard library.

    python3 crates/emulator/examples/test_banking.py

INTELLIAUTH_EMULATOR may name a built command; without it cargo builds and runs one.
"""

import json
import os
import subprocess
import unittest
import urllib.error
import urllib.parse
import urllib.request

BANKING = "api.banking.cymmetri.com"
SERVICE = ("app_01HZX0SERVICE", "sample-service-secret")
NATIVE = "app_01HZX0NATIVE"
ALICE = "alice@cymmetri.example"
ADMIN_TOKEN = "sample-admin-token"


class Emulator:
    """A running emulator of the sample tenant, on a free port."""

    def __init__(self):
        built = os.environ.get("INTELLIAUTH_EMULATOR")
        cargo = ["cargo", "run", "--quiet", "--package", "intelliauth-emulator", "--"]
        command = [built] if built else cargo
        self.process = subprocess.Popen(
            [*command, "--port", "0"], stdout=subprocess.PIPE, text=True
        )
        # The first line is "listening on <issuer>".
        self.issuer = self.process.stdout.readline().split()[-1]

    def stop(self):
        self.process.terminate()
        self.process.wait()
        self.process.stdout.close()

    def token(self, **parameters):
        """Status and reply of the token endpoint, as the sample service."""
        client_id, client_secret = SERVICE
        form = {
            "grant_type": "client_credentials",
            "client_id": client_id,
            "client_secret": client_secret,
            **parameters,
        }
        data = urllib.parse.urlencode(form).encode()
        return self._send(urllib.request.Request(self.issuer + "/oauth2/token", data))

    def native(self, path, **parameters):
        """Status and reply of an OAuth endpoint, as the application on a person's device."""
        data = urllib.parse.urlencode({"client_id": NATIVE, **parameters}).encode()
        return self._send(urllib.request.Request(self.issuer + path, data))

    def control(self, method, path, body=None):
        """A call of the admin API or of what only an emulator has."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.issuer + path, data, method=method)
        request.add_header("Authorization", "Bearer " + ADMIN_TOKEN)
        request.add_header("Content-Type", "application/json")
        return self._send(request)

    @staticmethod
    def _send(request):
        try:
            with urllib.request.urlopen(request) as reply:
                return reply.status, json.loads(reply.read())
        except urllib.error.HTTPError as error:
            with error:
                text = error.read()
            return error.code, json.loads(text) if text else None


class BankingTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.emulator = Emulator()

    @classmethod
    def tearDownClass(cls):
        cls.emulator.stop()

    def setUp(self):
        self.emulator.control("POST", "/emulator/v1/reset")

    def test_a_token_is_for_one_api(self):
        status, token = self.emulator.token(audience=BANKING)
        self.assertEqual(status, 200)
        self.assertEqual(token["scope"], "read:accounts read:transactions")

    def test_a_scope_off_the_list_is_refused(self):
        status, error = self.emulator.token(audience=BANKING, scope="write:transactions")
        self.assertEqual((status, error["error"]), (400, "invalid_scope"))

    def test_a_fault_happens_as_often_as_asked(self):
        fault = {"fault": {"status": {"status": 503}}, "endpoint": "token", "times": 1}
        self.emulator.control("POST", "/emulator/v1/faults", fault)
        self.assertEqual(self.emulator.token(audience=BANKING)[0], 503)
        self.assertEqual(self.emulator.token(audience=BANKING)[0], 200)

    def test_requests_are_counted(self):
        self.emulator.token(audience=BANKING)
        self.emulator.token(audience=BANKING)
        _, reply = self.emulator.control("GET", "/emulator/v1/requests")
        self.assertEqual(reply["meta"]["counts"]["token_requests"], 2)

    def test_a_person_lets_a_device_in_and_reuse_ends_it(self):
        scope = "openid offline_access read:transactions"
        _, begun = self.emulator.native("/oauth2/device_authorization", scope=scope)
        alice = {"user": ALICE, "user_code": begun["user_code"]}
        self.assertEqual(self.emulator.control("POST", "/emulator/v1/login", alice)[0], 200)
        status, tokens = self.emulator.native(
            "/oauth2/token",
            grant_type="urn:ietf:params:oauth:grant-type:device_code",
            device_code=begun["device_code"],
        )
        self.assertEqual(status, 200)
        refresh = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
        self.assertEqual(self.emulator.native("/oauth2/token", **refresh)[0], 200)
        self.assertEqual(self.emulator.native("/oauth2/token", **refresh)[1]["error"], "invalid_grant")
        _, families = self.emulator.control("GET", "/emulator/v1/families")
        self.assertEqual(families["data"][0]["death"], "reuse")

    def test_time_passes_when_told_to(self):
        before = self.emulator.control("GET", "/emulator/v1/clock")[1]["data"]["now"]
        after = self.emulator.control("POST", "/emulator/v1/clock", {"seconds": 3600})
        self.assertGreater(after[1]["data"]["now"], before)

    def test_changes_are_audited(self):
        path = "/api/v1/applications/" + SERVICE[0]
        self.emulator.control("PATCH", path, {"enabled": False})
        _, error = self.emulator.token(audience=BANKING)
        self.assertEqual(error["error"], "unauthorized_client")
        _, audit = self.emulator.control("GET", "/api/v1/audit")
        types = [(entry["type"], entry["outcome"]) for entry in audit["data"]]
        self.assertEqual(
            types,
            [("application.disabled", "success"), ("oauth.token_request", "denied")],
        )


if __name__ == "__main__":
    unittest.main()
