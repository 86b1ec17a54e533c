import glob
import os
import shlex
import subprocess
import sys

root = "/usr/local/Ascend"
places = ("ascend-toolkit/set_env.sh", "cann-*/share/info/ascendnpu-ir/bin/set_env.sh", "nnal/atb/set_env.sh")
scripts = [shlex.quote(one) for place in places for one in sorted(glob.glob(root + "/" + place))]
if scripts and not os.environ.get("CANN_SOURCED"):
    steps = ["source " + one + " >&2" for one in scripts] + ["exec env -0"]
    sourced = subprocess.run(["bash", "-c", " && ".join(steps)], stdout=subprocess.PIPE)
    if sourced.returncode:
        sys.exit("CANN's own settings cannot be read: " + ", ".join(scripts))
    found = dict(one.split("=", 1) for one in sourced.stdout.decode().split("\0") if "=" in one)
    os.execve(sys.executable, sys.orig_argv, {**found, "CANN_SOURCED": "1"})
