"""Signals that come twice, and two runs that meet."""
import errno
import os
import signal

from cases import Box, snapshot
from faults import GO_ON
from sweeps import STAGING


def twice(checks, program, case, scratch):
    """The second signal, which comes while the first is cleaned up after, ends it at once; the
    next run clears away."""
    with Box(case, scratch, "twice") as box:
        sent = []

        def decide(hit, process):
            if hit.name == ("pwritev", "unlinkat", "")[min(len(sent), 2)]:
                sent.append(hit.name)
                process.send_signal(signal.SIGINT)
            return GO_ON
        result = program.run(case.arguments, box, "pwritev,unlinkat", decide=decide)
        found = snapshot(box)
        left = [name for name in found if STAGING.match(name)]
        checks.check(sent == ["pwritev", "unlinkat"] and result.status == 130 and not result.err,
                     f"{case.name}: second SIGINT while it cleans up: {sent}", result)
        checks.check(left and {**case.before, **{name: found[name] for name in left}} == found,
                     f"{case.name}: second SIGINT: more or less than staging is left: {sorted(found)}")
        result = program.run(case.arguments, box)
        checks.check(result.status == 0 and case.is_good(snapshot(box)),
                     f"{case.name}: the run after a second SIGINT", result)


def at_once(checks, program, case, scratch):
    """Both signals before the program looks at the first."""
    with Box(case, scratch, "at-once") as box:
        def decide(hit, process):
            process.send_signal(signal.SIGTERM)
            process.send_signal(signal.SIGINT)
            return GO_ON
        result = program.run(case.arguments, box, "pwritev", 1, 1, decide)
        checks.check(result.status in (130, 143),
                     f"{case.name}: two signals at once", result)
        result = program.run(case.arguments, box)
        checks.check(result.status == 0 and case.is_good(snapshot(box)),
                     f"{case.name}: the run after two signals", result)


def ignored(checks, program, case, scratch):
    """What the parent ignores (nohup) stays ignored."""
    with Box(case, scratch, "ignored") as box:
        def decide(hit, process):
            process.send_signal(signal.SIGHUP)
            return GO_ON
        result = program.run(case.arguments, box, "pwritev", 1, 3, decide,
                             before=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
        checks.check(result.status == 0 and case.is_good(snapshot(box)),
                     f"{case.name}: SIGHUP under nohup", result)


def during_cleanup(checks, program, case, scratch):
    """A signal while a failed run removes what it made: the failure is still what it ends with,
    or the signal, and nothing stays."""
    with Box(case, scratch, "cleanup") as box:
        def decide(hit, process):
            if hit.name == "unlinkat":
                process.send_signal(signal.SIGTERM)
                return GO_ON
            return errno.EIO
        result = program.run(case.arguments, box, "pwritev,unlinkat", decide=decide)
        # The second of the signals that every unlinkat() brings is the one that kills.
        checks.check(result.status in (7, 143), f"{case.name}: SIGTERM while it cleans up", result)
        program.run(case.arguments, box)
        checks.check(case.is_good(snapshot(box)), f"{case.name}: the run after that", result)


# ---- two runs ---------------------------------------------------------------------------


def both_write(checks, program, case, scratch):
    """The second finds the first at work, says so, and leaves everything to it."""
    with Box(case, scratch, "both") as box:
        second = []

        def decide(hit, process):
            second.append(program.run(case.arguments, box))
            return GO_ON
        first = program.run(case.arguments, box, "pwritev,fsync", 1, 1, decide)
        checks.check(second[0].status == 7 and "another megatron2hf is writing" in second[0].err,
                     f"{case.name}: a second run", second[0])
        checks.check(first.status == 0 and case.is_good(snapshot(box)),
                     f"{case.name}: the first of two runs", first)


def other_is_faster(checks, program, case, scratch):
    """One that began later was done when the first wants to publish: nothing is replaced that
    was not there when it looked."""
    with Box(case, scratch, "faster") as box:
        second = []

        def decide(hit, process):
            second.append(program.run(case.arguments, box))
            return GO_ON
        first = program.run(case.arguments, box, "mkdirat", 1, 1, decide)
        checks.check(second[0].status == 0, f"{case.name}: the faster run", second[0])
        checks.check(first.status == 7 and "out" in first.err and case.is_good(snapshot(box)),
                     f"{case.name}: the slower run", first)


def taken_for_stale(checks, program, case, scratch):
    """Between mkdir and lock another run takes the new directory for a stale one: both end well
    or say what is in the way, and only one directory is there."""
    with Box(case, scratch, "stale") as box:
        second = []

        def decide(hit, process):
            second.append(program.run(case.arguments, box))
            return GO_ON
        first = program.run(case.arguments, box, "flock", 1, 1, decide)
        checks.check({first.status, second[0].status} == {0, 7} and case.is_good(snapshot(box)),
                     f"{case.name}: taken for stale: {second[0].status} {second[0].err}", first)


def in_the_way(checks, program, case, scratch):
    """Somebody makes the destination while we work."""
    for make in (os.mkdir, lambda path: os.symlink("nowhere", path),
                 lambda path: open(path, "w").close()):
        with Box(case, scratch, "way") as box:
            def decide(hit, process):
                make(f"{box}/out")
                return GO_ON
            result = program.run(case.arguments, box, "fsync", 1, 1, decide)
            found = snapshot(box)
            checks.check(result.status == 7 and set(found) == {"out"} and not found["out"] or
                         found.get("out") == b"nowhere",
                         f"{case.name}: something came to its place", result)


def run(checks, program, cases, scratch, everything):
    for name in ("zip", "force", "stream"):
        checks.later(twice, checks, program, cases[name], scratch)
        checks.later(at_once, checks, program, cases[name], scratch)
        checks.later(during_cleanup, checks, program, cases[name], scratch)
    checks.later(ignored, checks, program, cases["zip"], scratch)
    for name in ("zip", "force"):
        checks.later(both_write, checks, program, cases[name], scratch)
    checks.later(other_is_faster, checks, program, cases["zip"], scratch)
    checks.later(taken_for_stale, checks, program, cases["zip"], scratch)
    checks.later(in_the_way, checks, program, cases["zip"], scratch)
    checks.settle()
