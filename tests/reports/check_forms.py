"""JUnit, SARIF and GitHub's workflow commands, against parsers of their own and the JSON."""

import functools
import hashlib
import json
import os
import re
import resource
import subprocess
import urllib.parse
import xml.etree.ElementTree

from checking import BOX, check, convert_mini, copy_tree, end, run

HERE = os.path.dirname(os.path.abspath(__file__))
JUNIT, SARIF, PAGE = (os.path.join(BOX, name) for name in ["r.xml", "r.sarif", "page.md"])

# Names as bytes; what stands for them where a form cannot hold them is in shown().
HOSTILE = [
    b"new\nline", b"new\n::error::line", b"carriage\rreturn", b"::error file=x::y", b"100%", b"%0A%25",
    b"quote\"'", b"amp&amp;", b"<tag attr=\"x\">", b"]]>", b"<![CDATA[", b"-->", b"<?xml?>",
    b"comma,colon:", b"a=b", b" leading", b"trailing ", b"tab\there", b"esc\x1b[31mred", b"bell\x07",
    b"\xff\xfe\x80", b"cut\xe2\x82", b"\xed\xa0\x80", "uni \u20ac \U0001f600".encode(),
    "\ufffe\uffff".encode(), "\u202ertl".encode(), "\x85".encode(), b"##[stop-commands]x",
    b"`tick`", b"``", b"pipe|*_<b>", b"back\\slash", b"#frag?query", b"c:drive", b"n" * 250,
]


@functools.lru_cache(maxsize=None)
def shown(name):
    """A name as messages show it: bytes that are not printable UTF-8 as \\xNN."""
    text = ""
    for character in name.decode("utf-8", "surrogateescape"):
        point = ord(character)
        hidden = (point < 0x20 or 0x7f <= point < 0xa0 or 0xd800 <= point < 0xe000
                  or 0x200b <= point <= 0x200f or 0x2028 <= point <= 0x202e
                  or 0x2060 <= point <= 0x206f or point in (0xad, 0x61c, 0xfeff, 0xfffe, 0xffff))
        raw = character.encode("utf-8", "surrogateescape")
        text += "".join("\\x%02x" % byte for byte in raw) if hidden else character
    return text


# ---- GitHub: a line is a command as its runner reads it --------------------------------

def unescape(text, pairs):
    for code, meaning in pairs + [("%25", "%")]:
        text = text.replace(code, meaning)
    return text


LINE_ENDS = [("%0D", "\r"), ("%0A", "\n")]


def parse_command(line):
    """(name, properties, message), or None for a line of the log."""
    line = line.lstrip()
    if not line.startswith("::") or "::" not in line[2:]:
        return None
    head, message = line[2:].split("::", 1)
    name, _, rest = head.partition(" ")
    properties = {}
    for pair in filter(None, rest.strip().split(",")):
        key, _, value = pair.partition("=")
        properties[key] = unescape(value, LINE_ENDS + [("%3A", ":"), ("%2C", ",")])
    return name, properties, unescape(message, LINE_ENDS)


def lines_of(output):
    """The runner ends lines at CR, LF and CRLF."""
    return [line for line in re.split("\r\n|\r|\n", output.decode("utf-8")) if line]


def is_older_command(line):
    return parse_command(line) is None and "##[" in line


def check_github(directory, made, out, said, what):
    commands = [parse_command(line) for line in lines_of(out)]
    others = [line for line in lines_of(out) if parse_command(line) is None]
    check(not [line for line in lines_of(out) + lines_of(said) if is_older_command(line)],
          "%s: a name in a line that is no command of ours" % what)
    check(others == ([] if made["exit"] else others[:1]), "%s: beside commands: %s" % (what, others))
    commands = [command for command in commands if command]
    errors = [command for command in commands if command[0] == "error"]
    problems = made["problems"] or ([made] if made["exit"] else [])
    check(len(errors) == len(problems), "%s: %d errors, %d problems" % (what, len(errors), len(problems)))
    for (_, properties, message), problem in zip(errors, problems):
        file = problem.get("file")
        path = directory + ("/" + file if file not in (None, ".") else "")
        # A newline is kept, other bytes are shown.
        expected = "".join(c if c in "\r\n" else shown(c.encode()) for c in path)
        check(properties.get("file") == expected, "%s: %r, not %r" % (what, properties, expected))
        check(message == shown(problem["error"]["message"].encode()), "%s: %r" % (what, message))
        check(problem["code"] in properties["title"], "%s: title %r" % (what, properties["title"]))
    others = [(command[0], command[2]) for command in commands if command[0] != "error"]
    check(others == [("warning" if note["level"] == "warning" else "notice", note["text"])
                     for note in made["notes"]], "%s: notes: %s" % (what, others))


def check_page(made, what):
    with open(PAGE, encoding="utf-8", newline="") as file:
        page = file.read()
    check(page.startswith("kept\n### megatron2hf verify "), "%s: page %r" % (what, page[:40]))
    items = page.split("\n\n")[2].strip().split("\n") if made["exit"] or made["notes"] else []
    count = min(len(made["problems"]) or (made["exit"] != 0), 200)
    count += (len(made["problems"]) > 200) + len(made["notes"])
    check(len(items) == count, "%s: %d items, expected %d" % (what, len(items), count))
    for item in items:
        # Level, slug and message, the last two as code spans that end where they should.
        span = re.fullmatch(r"- (error|warning|note) `([a-z0-9-]+)`: (`+)(.*?)\3", item)
        check(span is None and item.startswith("- and ") or span is not None and not
              re.search("(?<!`)%s(?!`)" % span.group(3), span.group(4)), "%s: %s" % (what, item))


# ---- JUnit -----------------------------------------------------------------------------

def check_junit(made, what):
    lint = subprocess.run(["xmllint", "--noout", "--nonet", "--schema", HERE + "/junit.xsd", JUNIT],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    check(lint.returncode == 0, "%s: xmllint: %s" % (what, lint.stdout.decode("utf-8", "replace")[:500]))
    root = xml.etree.ElementTree.parse(JUNIT).getroot()
    problems = made["problems"] or ([made] if made["exit"] else [])
    places = {}
    for problem in problems:
        place = (problem.get("file") or ".", problem.get("tensor") or "")
        places.setdefault(place, []).append(problem)
    cases = {shown_place(place) for place in places}
    cases |= {shown_place((file["name"], "")) for file in made["files"]}
    found = [case.get("name") for case in root.iter("testcase")]
    check(sorted(found) == sorted(cases), "%s: cases %s" % (what, set(found) ^ cases))
    bad = {shown_place(place): all(problem["exit"] == 1 for problem in group)
           for place, group in places.items()}
    failures = sum(bad.values())
    for element in [root] + list(root.iter("testsuite")):
        check((element.get("tests"), element.get("failures"), element.get("errors")) ==
              (str(len(cases)), str(failures), str(len(bad) - failures)),
              "%s: counts %s" % (what, element.attrib))
    for case in root.iter("testcase"):
        verdicts = [child.tag for child in case]
        name = case.get("name")
        expected = [] if name not in bad else ["failure" if bad[name] else "error"]
        check(verdicts == expected, "%s: %s: %s" % (what, name, verdicts))
    by_name = {case.get("name"): case for case in root.iter("testcase")}
    for place, group in places.items():
        case = by_name[shown_place(place)]
        check(case[0].get("type") in [problem["code"] for problem in group], what)
        for problem in group:
            check(shown(problem["error"]["message"].encode()) in case[0].text,
                  "%s: %s is not told" % (what, problem["error"]["message"]))


def shown_place(place):
    return shown(place[0].encode()) + (": " + shown(place[1].encode()) if place[1] else "")


# ---- SARIF 2.1.0, by the sections of the standard --------------------------------------

def check_sarif(directory, made, what):
    with open(SARIF, "rb") as file:
        log = json.loads(file.read().decode("ascii"))
    check(log["version"] == "2.1.0" and log["$schema"].endswith("sarif-2.1.0.json"), what)
    check(len(log["runs"]) == 1, what)
    run_ = log["runs"][0]
    driver = run_["tool"]["driver"]
    check(driver["name"] == "megatron2hf" and driver["version"] == made["version"], what)
    rules = [rule["id"] for rule in driver["rules"]]
    check(len(rules) == len(set(rules)), "%s: rules twice" % what)
    for rule in driver["rules"]:
        text = rule["shortDescription"]["text"]
        check(text.endswith(".") and text != "Something was found.", "%s: rule %s" % (what, rule))
    bases = run_["originalUriBaseIds"]
    for name, base in bases.items():
        # 3.14.14: a relative uri has a base, an absent one has none; it ends in a slash.
        check(("uri" in base) == ("uriBaseId" in base), "%s: base %s" % (what, name))
        check(base.get("uri", "/").endswith("/") and base.get("uriBaseId", name) in bases, what)
    if "uri" in bases["DIRECTORY"]:
        check(os.path.samefile(os.path.join(BOX, path_of(bases["DIRECTORY"]["uri"])),
                               os.path.join(BOX, directory)) if os.path.exists(
                                   os.path.join(BOX, directory)) else True, "%s: base" % what)
    invocation = run_["invocations"][0]
    could_not = made["exit"] != 0 and not made["problems"]
    check(invocation["executionSuccessful"] is not could_not, what)
    check(invocation["exitCode"] == made["exit"], what)
    check(("toolExecutionNotifications" in invocation) == could_not, what)
    if could_not:
        notice = invocation["toolExecutionNotifications"][0]
        check(notice["message"]["text"] == made["error"]["message"] and
              notice["descriptor"]["id"] == made["code"] and notice["level"] == "error", what)
    check_results(run_, made, rules, what)
    names = [place_of(artifact["location"], what) for artifact in run_["artifacts"]]
    check([shown(name) for name in names] == [shown(file["name"].encode()) for file in made["files"]],
          "%s: artifacts" % what)
    for artifact, name in zip(run_["artifacts"], names):
        # By way of the uri to the file itself, whatever bytes its name has.
        with open(os.path.join(os.fsencode(BOX), os.fsencode(directory), name), "rb") as file:
            held = file.read()
        check(artifact["length"] == len(held) and
              artifact["hashes"]["sha-256"] == hashlib.sha256(held).hexdigest(), what)


def check_results(run_, made, rules, what):
    expected = [("error", problem["code"], problem["error"]["message"], problem["file"],
                 problem["tensor"]) for problem in made["problems"]]
    expected += [(note["level"], note["code"], note["text"], None, None) for note in made["notes"]]
    check(len(run_["results"]) == len(expected), "%s: results" % what)
    for result, (level, slug, text, file, tensor) in zip(run_["results"], expected):
        check((result["level"], result["ruleId"], result["message"]["text"]) == (level, slug, text),
              "%s: %s" % (what, result))
        check(rules[result["ruleIndex"]] == slug, "%s: ruleIndex" % what)
        check(len(result["locations"]) == 1, what)
        location = result["locations"][0]
        name = place_of(location["physicalLocation"]["artifactLocation"], what)
        check(shown(name) == shown((file or ".").encode()), "%s: %r, not %r" % (what, name, file))
        logical = [place["name"] for place in location.get("logicalLocations", [])]
        check(logical == ([tensor] if tensor else []), "%s: %s" % (what, logical))


def path_of(uri):
    return urllib.parse.unquote_to_bytes(uri).decode("utf-8", "surrogateescape")


def place_of(location, what):
    """The bytes of a relative reference; "./" is the directory itself."""
    uri = location["uri"]
    check(re.fullmatch(r"(?:[A-Za-z0-9._~/-]|%[0-9A-F]{2})+", uri) is not None and not
          urllib.parse.urlsplit(uri).scheme and not uri.startswith("/"), "%s: uri %r" % (what, uri))
    check(location["uriBaseId"] == "DIRECTORY", what)
    return b"." if uri == "./" else urllib.parse.unquote_to_bytes(uri)


# ---- one directory, all forms ----------------------------------------------------------

def remove(*paths):
    for path in paths:
        if os.path.lexists(path):
            os.remove(path)


def check_all(directory, status, what):
    remove(JUNIT, SARIF)
    with open(PAGE, "w") as file:
        file.write("kept\n")
    environment = dict(os.environ, GITHUB_STEP_SUMMARY=PAGE)
    found, out, said = run(["verify", "--json", directory])
    made = json.loads(out)
    check(found == made["exit"] == status, "%s: status %d, expected %d" % (what, found, status))
    arguments = ["verify", directory, "--report", "github", "--report", "junit=r.xml",
                 "--report=sarif=r.sarif"]
    found, out, said = run(arguments, env=environment)
    check(found == status, "%s: status %d, expected %d" % (what, found, status))
    check_github(directory, made, out, said, what)
    check_page(made, what)
    check_junit(made, what)
    check_sarif(directory, made, what)
    with open(JUNIT, "rb") as one, open(SARIF, "rb") as other:
        before = one.read(), other.read()
    # Again, in a document: stdout is the document, the commands go beside it; the same bytes.
    found, document, said = run(arguments + ["--json"], env=environment)
    check(json.loads(document) == made, "%s: --json beside --report" % what)
    commands = [line for line in lines_of(out) if parse_command(line)]
    check([line for line in lines_of(said) if parse_command(line)] == commands, what)
    with open(JUNIT, "rb") as one, open(SARIF, "rb") as other:
        check((one.read(), other.read()) == before, "%s: not the same bytes again" % what)
    check(sorted(os.listdir(BOX)) == sorted(set(os.listdir(BOX)) - {
        name for name in os.listdir(BOX) if name.startswith(".")}), "%s: left behind" % what)
    return made


good = convert_mini("good")
check_all("good", 0, "good")
check_all("./good/", 0, "./good/")
check_all(good, 0, "absolute")
check_all("absent", 6, "absent")

bare = copy_tree(good, "bare")
remove(bare + "/SHA256SUMS", bare + "/conversion.json")
check(check_all("bare", 0, "bare")["notes"], "bare: no note")

missing = copy_tree(good, "missing")
remove(missing + "/config.json", missing + "/model.safetensors")
check_all("missing", 1, "missing")

mixed = copy_tree(good, "mixed")
with open(mixed + "/model.safetensors", "wb") as file:
    file.write(b"x")
with open(mixed + "/extra", "w") as file:
    file.write("x")
check_all("mixed", 3, "mixed")

unsafe = copy_tree(good, "unsafe")
with open(unsafe + "/SHA256SUMS", "a") as file:
    file.write("0" * 64 + "  ../outside\n" + "0" * 64 + "  gone \\x\n")
check_all("unsafe", 5, "unsafe")

hostile = copy_tree(good, "hostile")
for name in HOSTILE:
    with open(os.path.join(os.fsencode(hostile), name), "wb") as file:
        file.write(name)
made = check_all("hostile", 1, "hostile")
check(len([p for p in made["problems"] if p["code"] == "sumsextra"]) == len(HOSTILE), "hostile: extra")

# The directory's own name, and one that begins like an option of a workflow command.
strange = os.path.join(BOX, "::error::a,b%<&>\"]]>\n##[stop-commands]")
os.rename(copy_tree(mixed, "renamed"), strange)
made = json.loads(run(["verify", "--json", "./" + os.path.basename(strange)])[1])
found, out, said = run(["verify", "-q", os.path.basename(strange), "--report", "github",
                        "--report", "junit=r.xml", "--report=sarif=r.sarif"])
check_github(os.path.basename(strange), made, out, said, "strange")
check_junit(made, "strange")
check_sarif(os.path.basename(strange), made, "strange")

# Names of tensors come from a header: JSON strings, so that anything but NUL is in reach.
tensors = copy_tree(good, "tensors")
remove(tensors + "/SHA256SUMS", tensors + "/conversion.json")
with open(tensors + "/model.safetensors", "rb") as file:
    size = int.from_bytes(file.read(8), "little")
    header, data = json.loads(file.read(size)), file.read()
odd = ["new\nline", "::error::x", "]]>&<\"'", "%0A", "\x1b[0m", "\u202e", "\U0001f600", "`"]
for name, other in zip(sorted(key for key in header if key != "__metadata__"), odd):
    header[other] = header.pop(name)
header = json.dumps(header).encode()
header += b" " * (-len(header) % 8)
with open(tensors + "/model.safetensors", "wb") as file:
    file.write(len(header).to_bytes(8, "little") + header + data)
status = run(["verify", "tensors"])[0]
made = check_all("tensors", status, "tensors")
check({problem["tensor"] for problem in made["problems"]} >= set(odd), "tensors: %s" % made["problems"])

# More problems than a page should show.
many = copy_tree(good, "many")
for number in range(1100):
    with open(many + "/f%04d" % number, "w"):
        pass
made = check_all("many", 1, "many")
check(len(made["problems"]) == 1000, "many: %d problems" % len(made["problems"]))

# ---- what has no name in the directory -------------------------------------------------

def check_places(arguments, wanted, what):
    made = json.loads(run(["verify", "good", "--json"] + arguments)[1])
    found = [problem["file"] for problem in made["problems"]]
    check(found == [wanted or None], "%s: %s" % (what, found))
    out = run(["verify", "good", "--report", "github"] + arguments)[1].decode()
    place = "::error file=good" + ("/" + wanted if wanted else "") + ","
    check(place in out, "%s: %s" % (what, out))


with open(os.path.join(BOX, "cut.pt"), "wb") as file:
    file.write(b"PK")
check_places(["--source", "gone.pt"], "", "no checkpoint")
check_places(["--source", "./cut.pt"], "", "a checkpoint that is cut")
check_places(["--signature", "gone.sig", "--key", "gone.pem"], "", "no key")
check_places(["--signature", "good/gone.sig", "--key", "good/config.json"], "config.json", "a key in it")

# ---- files that cannot be written ------------------------------------------------------

def check_refused(arguments, status, words, what, **more):
    before = sorted(os.listdir(BOX)), sorted(os.listdir(good))
    found, out, said = run(["verify"] + arguments, **more)
    check(found == status, "%s: status %d, expected %d: %s" % (what, found, status, said))
    check(words in said.decode() and said.count(b"error:") >= 1, "%s: %s" % (what, said))
    check((sorted(os.listdir(BOX)), sorted(os.listdir(good))) == before, "%s: left behind" % what)


# Never a real device: as root, a fault here would put a file in its place.
os.symlink("good/config.json", os.path.join(BOX, "link"))
os.mkfifo(os.path.join(BOX, "pipe"))
for form in ["junit=", "sarif="]:
    for target, status, words in [
            ("no/where", 7, "does not exist"), ("mixed", 7, "not a regular file"), ("link", 7, "regular"),
            ("pipe", 7, "regular"), ("new/", 2, "does not name a file"),
            ("good/report", 2, "into the directory"), ("./good/config.json", 2, "into the directory"),
            (good + "/config.json", 2, "into the directory"), ("good/../good/x", 2, "into the")]:
        check_refused(["good", "--report", form + target], status, words, form + target)
check_refused([".", "--report", "junit=x"], 2, "into the directory", "cwd")
check_refused(["good", "--report", "github"], 2, "into the directory", "summary",
              env={"GITHUB_STEP_SUMMARY": "link"})
check_refused(["good", "--report", "junit=same", "--report", "sarif=./same"], 2, "two reports", "twice")

# Nor what is read besides the directory.
os.mkdir(os.path.join(BOX, "checkpoint"))
for name in ["checkpoint/model.pt", "key.pem", "ca.pem", "good.sig"]:
    with open(os.path.join(BOX, name), "wb") as file:
        file.write(b"kept")
for given, target in [
        (["--source", "checkpoint/model.pt"], "checkpoint/../checkpoint/model.pt"),
        (["--source", "checkpoint"], "checkpoint/model.pt"), (["--source", "checkpoint"], "checkpoint/new"),
        (["--signature", "good.sig", "--key", "key.pem"], "./good.sig"),
        (["--signature", "good.sig", "--key", "key.pem"], "key.pem"),
        (["--signature", "good.sig", "--ca", "ca.pem"], "ca.pem")]:
    check_refused(["good"] + given + ["--report", "sarif=" + target], 2, "which is to be read", target)
    if os.path.exists(os.path.join(BOX, target)):
        check(open(os.path.join(BOX, target), "rb").read() == b"kept", target + " as it was")
check(run(["verify", "good"])[0] == 0, "good is whole")

# The room ends while it is written: the old file stays, and a mismatch is not what counts.
def small_files():
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))


for directory, status in [("good", 7), ("missing", 7), ("mixed", 3), ("unsafe", 5)]:
    for form, path in [("junit=r.xml", JUNIT), ("sarif=r.sarif", SARIF)]:
        with open(path, "w") as file:
            file.write("old")
        check_refused([directory, "--report", form], status, "File too large",
                      "%s %s" % (directory, form), preexec_fn=small_files)
        with open(path) as file:
            check(file.read() == "old", "%s: the old file is gone" % form)
found, out, said = run(["verify", "missing", "--json", "--report", "junit=r.xml"],
                       preexec_fn=small_files)
made = json.loads(out)
check((found, made["exit"], made["code"], len(made["problems"]) > 0) == (7, 7, "enospc", True), made)
found, out, said = run(["verify", "good", "--report", "github"],
                       env=dict(os.environ, GITHUB_STEP_SUMMARY=BOX + "/no/page"))
check(found == 7 and b"GITHUB_STEP_SUMMARY" in said, "page: status %d: %s" % (found, said))
found, out, said = run(["verify", "good", "--report", "github"])
check(found == 0 and out.startswith(b"ok "), "no page: status %d: %s" % (found, out))

# All others are written where one fails.
remove(SARIF, JUNIT)
found, out, said = run(["verify", "good", "--report", "github", "--report", "sarif=r.sarif"],
                       env=dict(os.environ, GITHUB_STEP_SUMMARY=BOX + "/no/page"))
check(found == 7 and os.path.exists(SARIF), "one that fails ends the others")

end("forms")
