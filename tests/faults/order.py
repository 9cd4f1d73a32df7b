"""The order of system calls, for a machine that loses power: what is renamed was synced after
its last write, so was the directory it is in, and the directory that holds the name is synced
after the rename.  From strace's log, which knows nothing of the program."""
import os
import re
import shutil
import subprocess

from cases import FIXTURES, FOLDER, Box

TRACED = ("openat,open,creat,write,pwrite64,pwritev,writev,ftruncate,fallocate,fsync,fdatasync,"
          "rename,renameat,renameat2,mkdir,mkdirat,unlink,unlinkat,rmdir,mmap")
CALL = re.compile(r"^(?:\d+ +)?(\w+)\((.*)\) += (-?\d+)(?:<(.*?)>)?")
FD = re.compile(r"^\d+<(.*?)>")
PLACE = re.compile(r'(?:(?:AT_FDCWD|\d+)<(.*?)>, )?"(.*?)"')
RENAME = re.compile(r'(?:AT_FDCWD|\d+)<(.*?)>, "(.*?)", (?:AT_FDCWD|\d+)<(.*?)>, "(.*?)"')


def strace_works():
    return shutil.which("strace") and subprocess.run(
        ["strace", "-qq", "-o", "/dev/null", "true"], stderr=subprocess.DEVNULL).returncode == 0


def events(log):
    """(what, path, other path) for each call that did something."""
    for line in log.splitlines():
        found = CALL.match(line)
        if not found or int(found.group(3)) < 0:
            continue
        name, arguments, returned = found.group(1), found.group(2), found.group(4)
        if name in ("openat", "open", "creat") and "O_CREAT" in arguments:
            yield "make", returned, None
        elif name in ("mkdir", "mkdirat"):
            place = PLACE.match(arguments)
            yield "make", os.path.join(place.group(1) or "", place.group(2)), None
        elif name in ("write", "pwrite64", "pwritev", "writev", "ftruncate", "fallocate"):
            yield "write", FD.match(arguments).group(1), None
        elif name in ("fsync", "fdatasync"):
            yield "sync", FD.match(arguments).group(1), None
        elif name.startswith("rename"):
            source, old, target, new = RENAME.match(arguments).groups()
            yield ("rename", os.path.normpath(os.path.join(source, old)),
                   os.path.normpath(os.path.join(target, new)))
        elif name in ("unlink", "unlinkat", "rmdir"):
            place = PLACE.match(arguments)
            yield "remove", os.path.join(place.group(1) or "", place.group(2)), None
        elif name == "mmap" and "<" in arguments:
            yield "map", re.search("<(.*?)>", arguments).group(1), None


def judge(log, folder):
    """(what is wrong, names that were renamed)"""
    dirty, problems, renamed, owed = {}, [], [], set()
    for what, path, other in events(log):
        if what == "map" and path.startswith((folder, FIXTURES)):
            problems.append(f"{path} is mapped: it may shrink, and that is SIGBUS")
        if not path or not path.startswith(folder):
            continue
        path = os.path.normpath(path)
        if what in ("make", "write"):
            dirty[path] = what
        if what == "make":
            dirty[os.path.dirname(path)] = f"{os.path.basename(path)} was made in it"
        elif what == "remove":
            dirty.pop(path, None)
            dirty[os.path.dirname(path)] = f"{os.path.basename(path)} was removed from it"
        elif what == "sync":
            dirty.pop(path, None)
            owed.discard(path)
        elif what == "rename":
            if ".m2h-" in os.path.dirname(path):
                continue                # an attempt within the staging directory
            for name, reason in dirty.items():
                if name == path or name.startswith(path + "/"):
                    problems.append(f"{name}: not synced before the rename: {reason}")
            owed.add(os.path.dirname(other))
            renamed.append(os.path.relpath(other, folder))
    problems += [f"{path}: not synced after a rename into it" for path in owed]
    return problems, renamed


def trace(checks, program, case, scratch, arguments, expected):
    with Box(case, scratch, "order") as box:
        log = f"{scratch}/{case.name}.strace"
        environment = {**program.environment(), "ASAN_OPTIONS": "detect_leaks=0"}
        with open(os.devnull, "w") as null:
            status = subprocess.run(
                ["strace", "-f", "-qq", "-y", "-s", "0", "-o", log, "-e", f"trace={TRACED}",
                 program.program, *arguments], cwd=box, env=environment,
                stdin=subprocess.DEVNULL, stdout=null, stderr=null).returncode
        with open(log) as file:
            text = file.read()
        problems, renamed = judge(text, os.path.realpath(box))
        checks.check(status == case.status and renamed == expected and not problems,
                     f"{case.name}: order: status {status}, renamed {renamed}: {problems}")
        return text, os.path.realpath(box)


def doubt(checks, log, folder):
    """The judge sees what is missing: each sync taken out of the log is a fault."""
    lines = log.splitlines()
    syncs = [number for number, line in enumerate(lines) if re.search(r"\bf(data)?sync\(", line)]
    for number in syncs:
        problems, _ = judge("\n".join(lines[:number] + lines[number + 1:]), folder)
        checks.check(problems, f"without line {number + 1} of the log nothing is missed")
    checks.check(len(syncs) > 3, "the log has hardly a sync")


def run(checks, program, cases, scratch, everything):
    if not strace_works():
        print("faults: skipped: the order of fsync and rename: strace does not work here")
        return
    log, folder = trace(checks, program, cases["zip"], scratch, cases["zip"].arguments, ["out"])
    doubt(checks, log, folder)
    trace(checks, program, cases["threads"], scratch, cases["threads"].arguments, ["out"])
    trace(checks, program, cases["folder"], scratch,
          ["convert", "-j2", FOLDER, "-o", "out", "--weights", "both", "--max-shard-size", "4KB"],
          ["out"])
    trace(checks, program, cases["force"], scratch, cases["force"].arguments, ["out"])
    trace(checks, program, cases["provenance"], scratch, cases["provenance"].arguments,
          ["out", "out.json"])
    trace(checks, program, cases["stream"], scratch, cases["stream"].arguments, [])
    trace(checks, program, cases["sign"], scratch, cases["sign"].arguments, ["model/model.sig"])
    trace(checks, program, cases["sign"], scratch,
          ["verify", "-q", "model", "--report", "sarif=out.sarif", "--report", "junit=out.xml"],
          ["out.sarif", "out.xml"])
