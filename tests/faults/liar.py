"""A fake engine, honest but for the one fault that it is started with: what a real one cannot be made to do at will.

Arguments: port, key file, model, fault.
"""

import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

PORT, KEYS, MODEL, FAULT = int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], sys.argv[4]
KEY = KEYS.read_text().strip()
CONTEXT = 256
WORDS = ["一", "二", "三", "四"] if FAULT != "english" else ["one ", "two ", "three "]
busy = threading.Semaphore(1)
streamed = 0


class Engine(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def say(self, status, content):
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def allowed(self):
        said = self.headers.get("Authorization")
        if FAULT == "open" or said == f"Bearer {KEY}" or (FAULT == "any-key" and said):
            return True
        self.say(401, {"error": "key"})
        return False

    def do_GET(self):
        if self.path == "/health":
            self.say(503 if FAULT == "unhealthy" else 200, {})
        elif self.path == "/metrics" and FAULT == "metrics":
            self.say(200, {})
        elif self.allowed():
            context = CONTEXT // 2 if FAULT == "small-context" else CONTEXT
            served = "another" if FAULT == "other-model" else MODEL
            self.say(200, {"data": [{"id": served, "meta": {"n_ctx": context}}]})

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if not self.allowed():
            return
        if not asked.get("messages"):
            self.say(400, {"error": "no messages"})
        elif len(asked["messages"][0]["content"]) > 2 * CONTEXT and FAULT != "takes-long":
            self.say(400, {"error": "too long"})
        elif asked.get("stream"):
            self.stream()
        elif FAULT == "error-200":
            self.say(200, {"error": {"message": "CUDA out of memory"}})
        else:
            words = "" if FAULT == "empty" else "".join(WORDS)
            self.say(200, {"choices": [{"message": {"content": words}}]})

    def stream(self):
        global streamed
        if not busy.acquire(blocking=FAULT != "one-user"):
            self.say(503, {"error": "busy"})
            return
        streamed += 1
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        words = ["".join(WORDS)] if FAULT == "one-piece" else WORDS
        for word in words:
            self.event({"choices": [{"delta": {"content": word}}]})
            threading.Event().wait(0.02)
        self.event({"choices": [], "usage": {"completion_tokens": len(WORDS)}})
        if FAULT != "no-done" and (FAULT != "tires" or streamed != 3):
            self.wfile.write(b"data: [DONE]\n\n")
        busy.release()

    def event(self, content):
        self.wfile.write(b"data: " + json.dumps(content).encode() + b"\n\n")


ThreadingHTTPServer.request_queue_size = 64
host = "0.0.0.0" if FAULT == "everywhere" else "127.0.0.1"
print("GGML_ASSERT(n > 0) failed" if FAULT == "asserts" else "listening", flush=True)
ThreadingHTTPServer((host, PORT), Engine).serve_forever()
