"""What the checks of this folder share: counting, running the program, good directories."""

import os
import shutil
import subprocess
import sys

PROGRAM = sys.argv[1]
BOX = sys.argv[2]
passed = failed = 0


def check(fine, what):
    """Counts; says what failed and goes on."""
    global passed, failed
    if fine:
        passed += 1
    else:
        failed += 1
        print("%s: %s" % (os.path.basename(sys.argv[0]), what))
    return fine


def end(name):
    print("%s: %d passed, %d failed" % (name, passed, failed))
    sys.exit(failed != 0)


def run(arguments, **more):
    """(status, stdout, stderr) of the program, as bytes, run in BOX."""
    more.setdefault("cwd", BOX)
    done = subprocess.run([PROGRAM] + list(arguments), stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more)
    return done.returncode, done.stdout, done.stderr


def convert_mini(name):
    """The small sibling of NGC's checkpoint, converted to BOX/name."""
    status, _, said = run(["convert", "-q", os.path.abspath("fixtures/good-ngc-mini.zip"),
                           "--num-attention-heads", "2", "-o", name])
    check(status == 0, "convert: status %d: %s" % (status, said))
    return os.path.join(BOX, name)


def copy_tree(source, name):
    target = os.path.join(BOX, name)
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target)
    return target
