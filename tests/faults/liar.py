"""A fake engine, honest but for the one fault that it is started with: what a real one cannot be made to do at will.

Arguments: port, key file, model, fault; what follows is what the plan asks of an engine, and ignored.
"""

import itertools
import json
import os
import re
import ssl
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

PORT, KEYS, MODEL, FAULT = int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], sys.argv[4]
KEY = KEYS.read_text().strip()
CONTEXT = 256
USERS = 3
WORDS = ["一 ", "二 ", "三 ", "四 "] if FAULT != "english" else ["one ", "two ", "three "]
QUESTIONS = Path(__file__).parents[2] / "dsdeploy/core/data/questions.json"
ANSWERS = dict(
    zip(
        (one["words"] for one in json.loads(QUESTIONS.read_text())["questions"]),
        (
            *("132", "Paris", "7", "H2O", "enots", "Wednesday", "4", "Water"),
            "43",
            "北京",
            "四",
            "疑是地上霜",
            "东",
            "山",
            "5",
            "小",
        ),
        strict=True,
    )
)
busy = threading.Semaphore(1)
asked_before = itertools.count()
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
            return
        words = asked["messages"][0]["content"]
        if FAULT == "silent":
            print("asked", flush=True)
            threading.Event().wait(20)
        if FAULT == "logs-prompts":
            print(f"Received request: prompt: {words!r}", flush=True)
        tokens = len(words) // 3
        if tokens > CONTEXT and FAULT != "takes-long":
            self.say(400, {"error": "too long"})
        elif asked.get("stream"):
            self.stream()
        elif FAULT == "error-200":
            self.say(200, {"error": {"message": "CUDA out of memory"}})
        else:
            read = min(tokens, CONTEXT // 2) if FAULT == "reads-half" else tokens
            choice = {"message": message(words, asked), "finish_reason": "stop"}
            self.say(200, {"choices": [choice], "usage": {"prompt_tokens": read}})

    def stream(self):
        if not busy.acquire(blocking=FAULT != "one-user"):
            self.say(503, {"error": "busy"})
            return
        try:
            number = self.words()
        finally:
            busy.release()  # before the end is told: who has heard it may ask again at once
        if FAULT != "no-done" and (FAULT != "tires" or number != 3):
            self.wfile.write(b"data: [DONE]\n\n")

    def words(self):
        global streamed
        streamed += 1
        number = streamed
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        words = ["".join(WORDS)] if FAULT == "one-piece" else WORDS
        for word in words:
            self.event({"choices": [{"delta": {"content": word}}]})
            threading.Event().wait(0.02)
        self.event({"choices": [], "usage": {"completion_tokens": len(WORDS)}})
        return number

    def event(self, content):
        self.wfile.write(b"data: " + json.dumps(content).encode() + b"\n\n")


def message(words, asked):
    if asked.get("tools") and FAULT != "no-tools":
        arguments = "{city" if FAULT == "broken-tools" else json.dumps({"city": "Beijing"})
        call = {"type": "function", "function": {"name": "get_weather", "arguments": arguments}}
        return {"content": None, "reasoning_content": "想", "tool_calls": [call]}
    content = answer(words, asked)
    for stop in asked.get("stop", ()) if FAULT != "ignores-stop" else ():
        content = content.partition(stop)[0]
    if FAULT == "moody" and not asked.get("response_format"):
        content += f" {next(asked_before)}"
    if FAULT == "empty":
        return {"content": ""}
    if FAULT == "raw-thinking":
        return {"content": f"<think>想</think>{content}", "reasoning_content": ""}
    return {"content": content, "reasoning_content": "" if FAULT == "no-reasoning" else "想"}


def answer(words, asked):
    if form := asked.get("response_format"):
        broken = {"json_schema": "no-schema", "json_object": "no-json-mode"}[form["type"]]
        return "yes, it is" if broken == FAULT else '{"answer": "yes"}'
    if words in ANSWERS:
        if FAULT == "wrong-answers":
            return "?"
        if FAULT == "repeats":
            return ANSWERS[words] + " 0" * 20
        if FAULT == "foreign" and words.isascii():
            return f"{ANSWERS[words]}，这就是正确的答案"
        return ANSWERS[words]
    if secret := re.search(r"secret number is (\d+)", words):
        return secret[1]
    return "".join(WORDS)


ThreadingHTTPServer.request_queue_size = 64
host = "0.0.0.0" if FAULT == "everywhere" else "127.0.0.1"
print("GGML_ASSERT(n > 0) failed" if FAULT == "asserts" else "listening", flush=True)
slots = CONTEXT // 2 if FAULT == "small-cache" else CONTEXT
print(f"initializing, n_slots = {USERS}, n_ctx_slot = {slots}", flush=True)
print("build_info: b1-old" if FAULT == "old-engine" else f"build_info: {sys.argv[5]}", flush=True)
server = ThreadingHTTPServer((host, PORT), Engine)
if secured := os.environ.get("LIAR_TLS"):
    folder, ciphers, oldest = secured.split("|")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{folder}/cert.pem", f"{folder}/key.pem")
    context.set_ciphers(ciphers)
    context.minimum_version = ssl.TLSVersion[oldest]
    server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
