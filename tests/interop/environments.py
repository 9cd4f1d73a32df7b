"""Virtual environments of the interop suite: one for each version of a program, made once.

    environment("transformers-4.57") -> path of a Python that has it

Each has a file of pinned versions, requirements/NAME.txt.  Those of a program stand on a
shared one with PyTorch in it (a path file names its packages), so that PyTorch is installed
once.  "torch-1.13" is Debian's python3-torch, the others come from PyPI.

transformers before 4.30 wants tokenizers < 0.13, of which there is no wheel for Python 3.11:
there that bound is lifted.
"""
import hashlib
import os
import re
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
PYTHON = os.environ.get("PYTHON", "/usr/bin/python3")

# name: (the environment below it, packages of the system too)
BELOW = {
    "torch-1.13": (None, True),
    "torch-2.13": (None, False),
    "transformers-4.18": ("torch-1.13", True),
    "transformers-4.22": ("torch-1.13", True),
    "transformers-4.30": ("torch-1.13", True),
    "transformers-4.47-torch-1.13": ("torch-1.13", True),
    "transformers-4.37": ("torch-2.13", False),
    "transformers-4.47": ("torch-2.13", False),
    "transformers-4.52": ("torch-2.13", False),
    "transformers-4.57": ("torch-2.13", False),
    "transformers-5.0": ("torch-2.13", False),
    "transformers-5.14": ("torch-2.13", False),
    "transformers-5.23": ("torch-2.13", False),
    "megatron-core-0.12": ("transformers-5.23", False),
    "megatron-core-0.16": ("transformers-5.23", False),
    "tools": ("torch-2.13", False),
}

LIFTED = ("transformers-4.18", "transformers-4.22")


class Unreachable(Exception):
    """PyPI did not answer."""


def site_packages(python):
    return subprocess.run([python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
                          check=True, stdout=subprocess.PIPE).stdout.decode().strip()


def requirements(name):
    return os.path.join(HERE, "requirements", name + ".txt")


def stamp(name):
    """What the environment was made from, with all below it."""
    digest = hashlib.sha256(PYTHON.encode())
    while name:
        with open(requirements(name), "rb") as file:
            digest.update(name.encode() + b"\0" + file.read())
        name = BELOW[name][0]
    return digest.hexdigest()


def install(name, python):
    done = subprocess.run(
        [PYTHON, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps",
         "--disable-pip-version-check", "--retries", "2", "-r", requirements(name)],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode == 0:
        return
    said = done.stdout.decode(errors="replace")
    if "Retrying (" in said or "Connection" in said or "Temporary failure" in said:
        raise Unreachable("%s: PyPI could not be reached" % name)
    raise RuntimeError("%s: pip ended with %d:\n%s" % (name, done.returncode, said))


def lift_bound(python):
    path = os.path.join(site_packages(python), "transformers", "dependency_versions_table.py")
    with open(path) as file:
        text = file.read()
    with open(path, "w") as file:
        file.write(re.sub(r'"tokenizers": "[^"]*"', '"tokenizers": "tokenizers"', text))


def environment(root, name):
    """The Python of an environment under `root`; made, with those below it, if need be."""
    below, of_system = BELOW[name]
    lowers = []                     # path files do not lead to path files
    while below:
        lowers.append(site_packages(environment(root, below)))
        below = BELOW[below][0]
    folder = os.path.join(root, "venv-" + name)
    python = os.path.join(folder, "bin", "python")
    marker = os.path.join(folder, "made-from")
    if os.path.exists(marker):
        with open(marker) as file:
            if file.read() == stamp(name):
                return python
    shutil.rmtree(folder, ignore_errors=True)
    print("interop: making the environment %s" % name, file=sys.stderr, flush=True)
    subprocess.run([PYTHON, "-m", "venv", "--without-pip", *(
        ["--system-site-packages"] if of_system else []), folder], check=True)
    with open(os.path.join(site_packages(python), "below.pth"), "w") as file:
        file.write("".join(lower + "\n" for lower in lowers))
    install(name, python)
    if name in LIFTED:
        lift_bound(python)
    with open(marker, "w") as file:
        file.write(stamp(name))
    return python
