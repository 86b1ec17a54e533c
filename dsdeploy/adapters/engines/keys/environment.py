import os
import sys

with open(sys.argv[1], encoding="utf-8") as file:
    key = file.readline().strip()
if not key:
    sys.exit(sys.argv[1] + " holds no key: refusing to serve an open door")
os.environ["VLLM_API_KEY"] = key
os.execvp(sys.argv[2], sys.argv[2:])
