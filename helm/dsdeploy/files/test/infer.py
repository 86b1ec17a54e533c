"""`helm test`: asks the service as a client does, and tries what must be closed. Ends 0, or 1 with what failed."""

import json
import os
import socket
import ssl
import sys
import urllib.error
import urllib.request

GATEWAY, ENGINE, MODEL, WEIGHTS = (os.environ[name] for name in ("GATEWAY", "ENGINE", "MODEL", "WEIGHTS"))
KEY_FILE = "/run/secrets/client/key"
CERTIFICATE = "/run/secrets/tls/tls.crt"
OUTSIDE = ("1.1.1.1", 443)


def trusted():
    """The gateway's own certificate is the anchor, so its name need not match the service's."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(CERTIFICATE)
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.check_hostname = False
    return context


def ask(path, key=None, body=None):
    request = urllib.request.Request(GATEWAY + path, data=None if body is None else json.dumps(body).encode())
    request.add_header("Content-Type", "application/json")
    if key:
        request.add_header("Authorization", f"Bearer {key}")
    no_proxy, tls = urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=trusted())
    opener = urllib.request.build_opener(no_proxy, tls)
    try:
        with opener.open(request, timeout=120) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, {}


def reachable(host, port):
    try:
        socket.create_connection((host, int(port)), timeout=5).close()
    except OSError:
        return False
    return True


def writable(folder):
    try:
        with open(f"{folder}/.written-by-test", "w"):
            return True
    except OSError:
        return False


def checks():
    with open(KEY_FILE, encoding="utf-8") as file:
        key = file.read().strip()
    chat = {"model": MODEL, "messages": [{"role": "user", "content": "1"}], "max_tokens": 1}
    yield "needs a key", ask("/v1/chat/completions", body=chat)[0] == 401
    yield "refuses a wrong key", ask("/v1/chat/completions", "wrong", chat)[0] == 401
    for path in ("/metrics", "/invocations", "/tokenize", "/docs"):
        yield f"{path} is closed", ask(path, key)[0] in (403, 404)
    status, models = ask("/v1/models", key)
    yield f"serves {MODEL}", status == 200 and MODEL in [one.get("id") for one in models.get("data", [])]
    status, answer = ask("/v1/chat/completions", key, chat)
    tokens = answer.get("usage", {}).get("completion_tokens", 0)
    yield "answers", status == 200 and bool(answer.get("choices")) and tokens >= 1
    yield "does not reach the outside", not reachable(*OUTSIDE)
    yield "does not reach the engine past the gateway", not reachable(*ENGINE.rsplit(":", 1))
    yield "is not root", os.getuid() != 0
    yield "cannot write to the weights", not writable(WEIGHTS)


def main():
    failed = 0
    for name, passed in checks():
        print("pass" if passed else "FAIL", name, flush=True)
        failed += not passed
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
