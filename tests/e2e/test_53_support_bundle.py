"""What a support bundle of a real release leaves out: secrets planted wherever an operator or an engine may put one."""

import tarfile

from tests.program import ask, run, run_json

PLANTED = {
    "releases/default/run/engine.log": "GET /v1?api_key=sk-{0} Authorization: Bearer {0}\nDB_PASSWORD={0}\n",
    "releases/default/run/supervisor.log": "Traceback: https://ops:{0}@mirror.internal/weights\n",
    "releases/default/plan.yaml": "# token: {0}\n",
    "releases/default/dsdeploy-default.service": '# Environment="HF_TOKEN={0}" --api-key {0}\n',
    "releases/default/notes/hardware.json": '{{"bmc": {{"user": "root", "password": "{0}"}}}}\n',
    "releases/default/notes/own.pem": "-----BEGIN EC PRIVATE KEY-----\n{0}\n-----END EC PRIVATE KEY-----\n",
}


def test_nothing_that_was_planted_and_no_key_is_in_it(home, plan, tmp_path):
    assert run("install", str(plan), "--home", str(home), "--yes").returncode == 0
    second = run_json("keys", "create", "second", "--home", str(home), "--yes")["data"]["secret"]
    secrets = [second, *(home / "releases/default/secrets/api-keys").read_text().split()]
    url = run_json("status", "--home", str(home))["data"][0]["release"]
    prompt = "a prompt that nobody may find anywhere"
    body = {"messages": [{"role": "user", "content": prompt}], "max_tokens": 4}
    assert ask(f"http://{url['host']}:{url['port']}/v1/chat/completions", second, body)[0] == 200
    for number, (name, words) in enumerate(PLANTED.items()):
        secret = f"PLANTED{number}ofThisTest{number}x9"
        secrets.append(secret)
        path = home / name
        path.parent.mkdir(exist_ok=True)
        with path.open("a") as file:
            file.write(words.format(secret))
    surroundings = {"HF_TOKEN": "hf_PLANTEDinTheSurroundings", "HTTPS_PROXY": "http://ops:PLANTEDproxyword@127.0.0.1:9"}
    secrets += ["hf_PLANTEDinTheSurroundings", "PLANTEDproxyword", prompt]

    out = tmp_path / "support.tar.gz"
    document = run_json("support-bundle", "--home", str(home), "--out", str(out), **surroundings)
    assert document["exit_code"] == 0 and document["data"]["redacted"] >= len(PLANTED), document
    assert out.stat().st_mode & 0o777 == 0o600
    with tarfile.open(out) as archive:
        files = {one.name: archive.extractfile(one).read().decode() for one in archive.getmembers()}
    for secret in secrets:
        assert [name for name, content in files.items() if secret in name + content] == [], secret
    for name in ("plan.yaml", "engine.log", "target/supervisor.log", "notes/hardware.json", "check.json"):
        assert f"dsdeploy-support/{name}" in files
