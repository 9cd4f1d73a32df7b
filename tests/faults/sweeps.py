"""Every call fails once: files, memory, signals.

For each case one run lists its calls; then there is a run for each of them (without FAULTS=all:
for each way that leads to one, the first time and the last) in which that call, and no other,
fails.  What must follow stands in expected() for files, and in the functions below it."""
import errno
import json
import os
import re
import signal

from cases import TOKENIZER, Box, snapshot
from faults import A_PART, GO_ON, KNOWN_LEAKS

OPENSSL_STEP = 20
LEAKS = {"LSAN_OPTIONS": f"suppressions={KNOWN_LEAKS}:print_suppressions=0"}
STAGING = re.compile(r"\.[a-z.0-9]+\.m2h-[a-z0-9]{6}")

# What a call may say; those after "more" with FAULTS=all only.
FAULTS = {
    "read":            ([errno.EIO, errno.EINTR, A_PART], []),
    "pread":           ([errno.EIO, errno.EINTR, A_PART], []),
    "write":           ([errno.ENOSPC, errno.EINTR, A_PART], [errno.EIO, errno.EDQUOT]),
    "pwritev":         ([errno.ENOSPC, errno.EINTR, A_PART], [errno.EIO, errno.EDQUOT]),
    "fsync":           ([errno.EIO, errno.EINTR, errno.EINVAL], [errno.ENOSPC, errno.EDQUOT]),
    "posix_fallocate": ([errno.ENOSPC, errno.EINTR, errno.EOPNOTSUPP], [errno.EIO, errno.EDQUOT]),
    "renameat":        ([errno.EIO], [errno.EACCES]),
    "renameat2":       ([errno.EIO, errno.EINVAL], [errno.EXDEV, errno.EACCES, errno.ENOSPC]),
    "open":            ([errno.EIO, errno.EINTR], [errno.EMFILE, errno.ENOMEM, errno.EACCES]),
    "openat":          ([errno.EIO, errno.EINTR, errno.ENOMEM], [errno.EMFILE, errno.EACCES]),
    "mkdirat":         ([errno.ENOSPC], [errno.EIO, errno.EROFS]),
    "unlinkat":        ([errno.EIO], [errno.EACCES]),
    "close":           ([errno.EIO], [errno.EINTR, errno.EDQUOT]),
    "fstat":           ([errno.EIO], []),
    "stat":            ([errno.EIO], []),
    "fstatat":         ([errno.EIO], []),
    "fstatvfs":        ([errno.EIO], []),
    "flock":           ([errno.EIO, errno.ENOSYS], [errno.EINTR]),
    "faccessat":       ([errno.EROFS], [errno.EACCES]),
    "access":          ([errno.EACCES], []),
    "readdir":         ([errno.EIO], []),
    "fdopendir":       ([errno.ENOMEM], []),
    "dup":             ([errno.EMFILE], []),
    "pthread_create":  ([errno.EAGAIN], []),
}
# A fault of these must not be passed over where something is written.
CALLS_THAT_COUNT = {"write", "pwritev", "fsync", "mkdirat", "posix_fallocate", "pread", "read"}
HARMLESS = {                    # the call is made again, or the file system knows no such thing
    "fsync": {errno.EINVAL}, "posix_fallocate": {errno.EOPNOTSUPP},
    "renameat2": {errno.EINVAL}, "flock": {errno.ENOSYS, errno.EIO},
}


def is_told(hit):
    """Standard output or error, which go to files without a name."""
    return hit.path.endswith("(deleted)")


def places(case, box):
    return [os.path.realpath(box)] if case.output or "--staging" in case.arguments else []


def is_made(case, hit, box):
    """Is the call about what is written?"""
    return any(hit.path.startswith(place) for place in places(case, box))


def expected(case, hit, fault, box):
    """The statuses that may follow."""
    good = {case.status}
    if fault in (errno.EINTR, A_PART) or fault in HARMLESS.get(hit.name, ()):
        # Without an exchange a directory cannot replace another.
        return good | ({7} if hit.name == "renameat2" and "-f" in case.arguments else set())
    if fault == errno.ENOMEM:
        return good | {8} | ({7} if STAGING.search(hit.path) else set())
    if is_told(hit):
        return {7} if hit.name == "write" and hit.descriptor == 1 else good | {7}
    if hit.path == "/dev/null" or hit.name in ("pthread_create", "fstatvfs"):
        return good
    if is_made(case, hit, box):
        # sign reads files of the directory it writes to.
        other = {6} if case.name == "sign" else set()
        return other | {7} | (set() if hit.name in CALLS_THAT_COUNT else good)
    # Of several faults the most severe counts.
    return {6} | (set() if hit.name in ("read", "pread") and case.status < 2 else good)


def is_complete(case, box, found):
    """The new output with what it replaced beside it, as the message says."""
    rest = {name: content for name, content in found.items() if not STAGING.match(name)}
    return case.is_good(rest) or all(rest.get(name) == content
        for name, content in case.good.items()
        if name == case.output or name.startswith(case.output + "/"))


def judge_place(case, box, result, found):
    """What is there afterwards: nothing new, or all of it."""
    if result.status == case.status:
        return "" if case.is_good(found) else "what was made is another"
    if found == case.before:
        return ""
    if re.search("complete|in its place|standard output", result.err) \
            and is_complete(case, box, found):
        return ""
    return "left behind: " + " ".join(sorted(
        name for name in found if found[name] != case.before.get(name, b"")))[:300]


def is_named(hit, box, text):
    """Does the message name the file, the folder that holds it or what is being made?"""
    names = {os.path.basename(hit.path), os.path.basename(os.path.dirname(hit.path)),
             os.path.basename(os.path.dirname(os.path.dirname(hit.path)))}
    made = STAGING.search(hit.path)
    if made:
        names.add(made.group(0)[1:].rsplit(".m2h-", 1)[0])
    if is_told(hit):
        names = {"standard output"}
    if os.path.realpath(hit.path) == os.path.realpath(box):
        names = {"out", "directory", "."}
    # verify and sign name what they find below the directory, inspect what is around a lone rank.
    return any(name and name in text for name in names) or ": .: " in text or " ..: " in text


def judge_words(case, hit, box, result):
    errors = result.errors()
    if result.status == case.status:
        return "" if case.status or not errors else "errors although all went well"
    if not errors or (len(errors) > 1 and "verify" not in case.name and not is_told(hit)):
        return f"{len(errors)} lines of error"
    if not is_named(hit, box, "\n".join(errors)):
        return "the message does not name it"
    return ""


def is_tokenizer_fault(hit, fault):
    return os.path.basename(hit.path) in TOKENIZER and fault not in (errno.EINTR, errno.ENOMEM)


def judge_file(case, hit, fault, box, result, found):
    if fault == errno.ENOMEM and "Permission denied" in result.err:
        # The sandbox allows what it could open before; this it could not.
        return judge_place(case, box, result, found)
    if result.status not in expected(case, hit, fault, box):
        return f"status, expected {sorted(expected(case, hit, fault, box))}"
    if result.status == case.status and (is_tokenizer_fault(hit, fault)
            or (hit.name == "openat" and os.path.isdir(hit.path) and not STAGING.search(hit.path)
                and fault not in (errno.EINTR, errno.ENOMEM))):
        # A warning says that the tokenizer was not read, in what is written, too.
        return "" if found.keys() == case.good.keys() else "files are missing"
    if hit.name == "unlinkat":
        whole = {**case.before, **case.good}
        rest = [name for name in found if name not in whole]
        return "" if all(STAGING.match(name) for name in rest) else f"left behind: {rest}"
    return judge_place(case, box, result, found) or judge_words(case, hit, box, result)


# ---- which calls ------------------------------------------------------------------------


def choose(hits, everything):
    """The first of those that one way leads to, for the same file; of those that move what the
    tensors hold, the last too."""
    if everything:
        return hits
    groups = {}
    for hit in hits:
        path = STAGING.sub("STAGING", re.sub(r"\d+", "N", hit.path))
        groups.setdefault((hit.name, path, hit.stack), []).append(hit)
    chosen = {hit.number: hit for group in groups.values() for hit in (
        (group[0], group[-1]) if group[0].name in ("pread", "pwritev") else group[:1])}
    return [chosen[number] for number in sorted(chosen)]


def list_calls(program, case, scratch, calls, decide=None):
    with Box(case, scratch, "list") as box:
        return program.run(case.arguments, box, calls, decide=decide).hits


def run_once(program, case, scratch, name, calls, hit, decide, settings=None):
    with Box(case, scratch, name) as box:
        seen = []

        def answer(found, process):
            seen.append(found)
            return decide(found, process)
        result = program.run(case.arguments, box, calls, hit.number, hit.number, answer,
                             settings=settings)
        found = snapshot(box)
        again = repeat(program, case, box, result, found)
        return result, found, box, seen[0] if seen else None, again


def repeat(program, case, box, result, found):
    """Whatever is left of a run, the next clears away; it succeeds where nothing is in the way."""
    if not any(STAGING.match(os.path.basename(name)) for name in found):
        return ""
    arguments = case.arguments if "-f" in case.arguments or "out" not in found \
        else [*case.arguments, "-f"]
    if case.name == "sign" and "model/model.sig" in found:
        arguments = [*case.arguments, "-f"]
    after = program.run(arguments, box)
    found = snapshot(box)
    if after.status != case.status or not case.is_good(found):
        return f"the next run: {after.status} {after.err} {sorted(found)}"
    return ""


# ---- files ------------------------------------------------------------------------------


def sweep_files(checks, program, case, scratch, everything):
    def one(hit, fault):
        result, found, box, seen, again = run_once(
            program, case, scratch, f"{hit.number}.{fault}", "all", hit, lambda *_: fault)
        problem = again or (judge_file(case, seen, fault, box, result, found) if seen
                            else "the call did not come again")
        name = "a part" if fault == A_PART else errno.errorcode[fault]
        checks.check(not problem, f"{case.name}: {name} from {seen or hit}: {problem}", result)

    hits = choose(list_calls(program, case, scratch, "all", lambda *_: GO_ON), everything)
    for hit in hits:
        first, more = FAULTS.get(hit.name, ([], []))
        for fault in first + (more if everything else []):
            checks.later(one, hit, fault)


def storm(checks, program, case, scratch):
    """EINTR from every second call that may give it, and half of all that is read or written."""
    calls = "read,pread,write,pwritev,open,openat,fsync,posix_fallocate"
    for fault in (errno.EINTR, A_PART):
        state = {}

        def decide(hit, process, fault=fault, state=state):
            key = (hit.name, hit.descriptor)
            state[key] = not state.get(key, False)
            return fault if state[key] else GO_ON
        with Box(case, scratch, f"storm{fault}") as box:
            result = program.run(case.arguments, box, calls, decide=decide)
            problem = "" if result.status == case.status else "status"
            problem = problem or judge_place(case, box, result, snapshot(box))
            name = "half of everything" if fault == A_PART else "EINTR everywhere"
            checks.check(not problem, f"{case.name}: {name}: {problem}", result)


# ---- memory -----------------------------------------------------------------------------


def judge_memory(case, box, result, found):
    if result.status == case.status and "--json" not in case.arguments:
        return judge_place(case, box, result, found) or (
            "" if result.out == case.out else "standard output is another")
    if result.status == case.status:
        return judge_place(case, box, result, found)
    if result.status == 7 and "what it replaced could not be removed" in result.err:
        return "" if is_complete(case, box, found) else "not complete"
    if result.status != 8:
        return "status, expected 8"
    if "out of memory" not in result.err and "Cannot allocate memory" not in result.err:
        return "the message does not say it"
    if found != case.before and not is_complete(case, box, found):
        return "left behind: " + " ".join(sorted(found))[:300]
    if "--json" in case.arguments and json.loads(result.out)["exit"] != 8:
        return "the document has another status"
    return ""


def sweep_memory(checks, program, case, scratch, everything):
    """Most of it is OpenSSL's, which sets itself up in the same way each time: a sample of that
    will do, and of all of it one for each way."""
    def one(hit):
        result, found, box, seen, again = run_once(
            program, case, scratch, f"memory.{hit.number}", "malloc", hit,
            lambda *_: errno.ENOMEM, LEAKS if "libcrypto" in hit.path else None)
        if "CHECK failed: sanitizer_linux" in result.err:
            return                      # ASan itself cannot do without, when a thread begins
        problem = again or judge_memory(case, box, result, found)
        checks.check(not problem, f"{case.name}: no memory for {hit}: {problem}", result)

    hits = list_calls(program, case, scratch, "malloc")
    openssl = choose([hit for hit in hits if "libcrypto" in hit.path], False)
    others = choose([hit for hit in hits if "libcrypto" not in hit.path], everything)
    for hit in openssl[::1 if everything else OPENSSL_STEP] + others:
        checks.later(one, hit)


# ---- signals ----------------------------------------------------------------------------


def judge_signal(case, hit, box, number, result, found):
    if number == signal.SIGKILL:
        if result.status not in (137, case.status):
            return "status, expected 137"
        rest = {name: content for name, content in found.items()
                if not any(STAGING.match(part) for part in name.split("/"))}
        return "" if rest == case.before or is_complete(case, box, found) else "neither old nor new"
    if result.status == case.status:
        return judge_place(case, box, result, found)
    if result.status != 128 + number:
        return f"status, expected {128 + number}"
    if result.err == "" and found == case.before and hit.path == "/dev/null":
        return ""                       # nothing has begun
    if not result.errors() or f"signal {int(number)}" not in result.errors()[0]:
        return "the message does not say it"
    return "" if found == case.before or case.is_good(found) else \
        "left behind: " + " ".join(sorted(found))[:300]


def sweep_signals(checks, program, case, scratch, everything, step):
    def one(hit, number):
        def decide(hit, process):
            process.send_signal(number)
            return GO_ON
        result, found, box, seen, again = run_once(
            program, case, scratch, f"{hit.number}.{number.name}", "all", hit, decide)
        problem = judge_signal(case, seen or hit, box, number, result, found) or again
        checks.check(not problem, f"{case.name}: {number.name} at {seen or hit}: {problem}", result)

    hits = choose(list_calls(program, case, scratch, "all", lambda *_: GO_ON), everything)
    for count, hit in enumerate(hits[::step]):
        checks.later(one, hit, signal.SIGKILL)
        checks.later(one, hit, signal.SIGINT)
        if everything or count % 8 == 0:
            checks.later(one, hit, signal.SIGTERM)
            checks.later(one, hit, signal.SIGHUP)
