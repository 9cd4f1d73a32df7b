"""See run.sh.  signatures.py MEGATRON2HF FOLDER, from the project's root."""
import base64
import copy
import hashlib
import json
import os
import pty
import random
import re
import shutil
import socket
import stat
import subprocess
import sys

import oms

M2H, TEMP = os.path.abspath(sys.argv[1]), sys.argv[2]
SOURCE = os.path.abspath("fixtures/eras/good-small-C-23.04-tp1-pp1.zip")
OUT, SIG = os.path.join(TEMP, "out"), os.path.join(TEMP, "some.sig")
passed = failed = 0


def check(what, condition, found=""):
    global passed, failed
    if condition:
        passed += 1
    else:
        failed += 1
        print("sign: %s: %s" % (what, found))


def m2h(*words, env=None, stdin=None):
    """Its status and what it says on standard error."""
    ran = subprocess.run([M2H, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                         input=stdin, env=dict(os.environ, **(env or {})),
                         start_new_session=True)
    return ran.returncode, ran.stderr.decode() + ran.stdout.decode()


def expect(what, status, text, *words, **more):
    found = m2h(*words, "--progress=none", **more)
    check(what, found[0] == status and text in found[1],
          "expected status %d and %r, found %d:\n%s" % (status, text, *found))


def write(path, content):
    if not isinstance(content, bytes):
        content = (content if isinstance(content, str) else json.dumps(content)).encode()
    with open(path, "wb") as file:
        file.write(content)


def read(path):
    with open(path, "rb") as file:
        return file.read()


def verify(what, status, text, content, *trust, directory=None):
    write(SIG, content)
    expect(what, status, text, "verify", directory or OUT, "--signature", SIG, *trust)


# ---- what is made, seen by others ---------------------------------------------------------

def test_made(keys):
    names = ["uml\u00e4ut.txt", "quote\"back\\slash.txt", "sub/.gitignore", "new\nline"]
    place = os.path.join(TEMP, "odd name")
    os.makedirs(os.path.join(place, "sub"))
    os.makedirs(os.path.join(place, "empty"))
    os.makedirs(os.path.join(place, ".git"))
    for name in names + [".git/config", ".gitattributes", "z"]:
        write(os.path.join(place, name), name.encode() * 1000)
    for curve, key in keys.items():
        for directory in (OUT, place):
            path = os.path.join(directory, "model.sig")
            expect("sign " + curve, 0, "", "sign", "-f", directory, "--key", key.path)
            made = json.loads(read(path))
            payload = base64.b64decode(made["dsseEnvelope"]["payload"], validate=True)
            sig = base64.b64decode(made["dsseEnvelope"]["signatures"][0]["sig"], validate=True)
            files = oms.files_of(directory)
            check("statement " + curve, json.loads(payload)
                  == oms.statement(files, os.path.basename(directory)), payload)
            check("names in order", [r["name"] for r in json.loads(payload)["predicate"]
                                     ["resources"]] == [name for name, _ in files], payload)
            check("bundle " + curve, made == oms.bundle(payload, sig, oms.material_of(key)), made)
            write(SIG, sig)
            found = subprocess.run(["openssl", "dgst", "-" + oms.HASHES[curve], "-verify",
                                    key.public, "-signature", SIG], input=oms.pae(payload),
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            check("openssl verifies " + curve, found.returncode == 0, found.stdout)
            os.remove(path)
    check("SHA256SUMS is signed", "SHA256SUMS" in [name for name, _ in oms.files_of(OUT)])
    shutil.rmtree(place)


def test_output(key):
    os.remove(SIG)
    expect("elsewhere", 0, "", "sign", OUT, "--key", key.path, "-o", SIG)
    check("mode", stat.S_IMODE(os.stat(SIG).st_mode) & 0o777 == 0o666 & ~os.umask(0o022),
          oct(os.stat(SIG).st_mode))
    before = read(SIG)
    expect("kept", 7, "already exists", "sign", OUT, "--key", key.path, "-o", SIG)
    check("as it was", read(SIG) == before)
    expect("force", 0, "", "sign", "-f", OUT, "--key", key.path, "-o", SIG)
    check("replaced", read(SIG) != before)
    inside = os.path.join(OUT, "other.sig")
    expect("inside", 0, "", "sign", OUT, "--key", key.path, "-o", inside)
    payload = json.loads(base64.b64decode(json.loads(read(inside))["dsseEnvelope"]["payload"]))
    check("recorded", "other.sig" in payload["predicate"]["serialization"]["ignore_paths"],
          payload)
    expect("verifies inside", 0, "signed by key " + key.hint, "verify", OUT, "--signature",
           inside, "--key", key.public)
    os.remove(inside)
    os.mkdir(os.path.join(OUT, "sub"))
    inside = os.path.join(OUT, "sub", "x.sig")
    expect("in a folder inside", 0, "", "sign", OUT + "///", "--key", key.path, "-o", inside)
    payload = json.loads(base64.b64decode(json.loads(read(inside))["dsseEnvelope"]["payload"]))
    check("recorded with its folder", "sub/x.sig" in payload["predicate"]["serialization"][
        "ignore_paths"], payload)
    expect("verifies in a folder inside", 0, "signed by key " + key.hint, "verify", OUT,
           "--signature", inside, "--key", key.public)
    write(inside, b"[]")
    expect("no signature to replace", 2, "is a file of the directory, and no signature", "sign",
           "-f", OUT, "--key", key.path, "-o", inside)
    write(inside, {"mediaType": 1})
    expect("no mediaType to replace", 2, "is a file of the directory, and no signature", "sign",
           "-f", OUT, "--key", key.path, "-o", inside)
    shutil.rmtree(os.path.join(OUT, "sub"))
    os.mkdir(os.path.join(OUT, ".git"))
    for name in [".gitattributes", ".git/HEAD"]:
        inside = os.path.join(OUT, name)
        write(inside, b"kept")
        expect("over " + name, 2, "is a file of the directory, and no signature", "sign", "-f",
               OUT, "--key", key.path, "-o", inside)
        check(name + " as it was", read(inside) == b"kept")
        os.remove(inside)
    os.rmdir(os.path.join(OUT, ".git"))
    test_inputs(key)
    expect("slashes after it", 0, "", "sign", OUT + "///", "--key", key.path)
    os.remove(os.path.join(OUT, "model.sig"))
    expect("a name that is not UTF-8", 2, "must be UTF-8", "sign", OUT, "--key", key.path, "-o",
           os.path.join(OUT.encode(), b"a\xff.sig"))
    expect("no directory but a file", 6, "cannot open the directory", "sign", SIG, "--key",
           key.path)
    odd = os.path.join(TEMP.encode(), b"a\xff")
    os.mkdir(odd)
    expect("a directory that is not UTF-8", 3, "name is not valid UTF-8 and cannot be signed",
           "sign", odd, "--key", key.path)
    os.rmdir(odd)
    expect("no parent", 7, "does not exist", "sign", OUT, "--key", key.path, "-o",
           os.path.join(TEMP, "none", "x"))
    expect("a directory", 7, "not a regular file", "sign", "-f", OUT, "--key", key.path, "-o", OUT)
    check("nothing left", sorted(os.listdir(OUT)) == sorted(n for n, _ in oms.files_of(OUT)),
          os.listdir(OUT))


def test_inputs(key):
    """What a signature is made with stays, by whatever name the output reaches it."""
    linked = os.path.join(TEMP, "linked.pem")
    os.symlink(key.path, linked)
    before = read(key.path)
    for given, output in [(key.path, key.path), (linked, key.path),
                          (key.path, os.path.join(OUT, "..", os.path.basename(key.path)))]:
        expect("over the key", 2, "which it is made with", "sign", "-f", OUT, "--key", given, "-o",
               output)
    check("the key as it was", read(key.path) == before)
    os.remove(linked)


def at_terminal(answer, *words):
    """What the program shows on a terminal, where it is answered as soon as it asks."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(M2H, [M2H, *words])
    shown = b""
    try:
        while part := os.read(terminal, 4096):
            if b"private key: " in (shown := shown + part) and answer:
                os.write(terminal, answer)
                answer = b""
    except OSError:         # how Linux says that nobody is at the other end
        pass
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), shown


def test_terminal(path):
    status, shown = at_terminal(b"correct horse\n", "sign", "-f", OUT, "--key", path, "-o", SIG,
                                "--progress=bar")
    check("asked at the terminal", status == 0, shown)
    check("not shown there", b"horse" not in shown, shown)
    check("on an empty line", re.search(rb"\r *\rpassphrase of the private key: ", shown), shown)


def test_keys(keys):
    def sign(what, status, text, path, **more):
        expect(what, status, text, "sign", "-f", OUT, "--key", path, "-o", SIG, **more)

    def made(name, *words):
        path = os.path.join(TEMP, name)
        oms.openssl(*words, "-out", path)
        os.chmod(path, 0o600)
        return path

    key = keys["secp384r1"]
    eight = made("eight.pem", "pkcs8", "-topk8", "-nocrypt", "-in", key.path)
    sign("PKCS#8", 0, "", eight)
    sign("parameters before the key", 0, "", made("both.pem", "ecparam", "-name", "prime256v1",
                                                  "-genkey"))
    sign("standard input", 0, "", "-", stdin=read(key.path))
    secret = {"MEGATRON2HF_PASSPHRASE": "correct horse"}
    locked = made("locked.pem", "pkcs8", "-topk8", "-in", key.path, "-passout",
                  "pass:correct horse")
    old = made("old.pem", "ec", "-aes128", "-in", key.path, "-passout", "pass:correct horse")
    test_terminal(locked)
    for kind, path in ("PKCS#8", locked), ("SEC1", old):
        sign("encrypted " + kind, 0, "", path, env=secret)
        sign("no passphrase " + kind, 7, "there is no terminal to ask at\nhint: set MEGATRON2HF_PASSPHRASE",
             path)
        sign("wrong passphrase " + kind, 7, "cannot be decrypted", path,
             env={"MEGATRON2HF_PASSPHRASE": "wrong donkey"})
        found = m2h("sign", "-fv", OUT, "--key", path, "-o", SIG, "--json",
                    env={"MEGATRON2HF_PASSPHRASE": "wrong donkey"})
        check("passphrase is not shown", "donkey" not in found[1], found[1])
        expect("verify with an encrypted key", 6, "public half", "verify", OUT, "--signature", SIG,
               "--key", path)
    for name, text, words in (
            ("ed.pem", "Ed25519 keys are not part of OMS v1.0",
             ["genpkey", "-algorithm", "ED25519"]),
            ("rsa.pem", "RSA keys are not part", ["genpkey", "-algorithm", "RSA"]),
            ("k1.pem", "secp256k1 keys are not part",
             ["ecparam", "-name", "secp256k1", "-genkey", "-noout"]),
            ("explicit.pem", "explicit parameters keys are not part", ["ecparam", "-name", "prime256v1", "-genkey",
                                                   "-noout", "-param_enc", "explicit"])):
        path = made(name, *words)
        sign(name, 4, text, path)
        expect("verify with " + name, 4, text, "verify", OUT, "--signature", SIG, "--key", path)
    sign("a public key", 3, "a public key; sign needs the private one", key.public)
    sign("no key", 3, "not a key in PEM", SOURCE)
    sign("missing", 6, "cannot open it", os.path.join(TEMP, "none"))
    sign("a directory", 6, "is a directory", TEMP)
    large = os.path.join(TEMP, "large.pem")
    write(large, b"x" * 1048577)
    sign("large", 8, "more than 1048576 bytes", large)
    os.chmod(eight, 0o644)
    sign("readable by all", 0, "every user of this machine can read the private key", eight)
    os.chmod(eight, 0o640)
    found = m2h("sign", "-f", OUT, "--key", eight, "-o", SIG)
    check("not by all", "every user" not in found[1], found[1])


def test_directories(key):
    place = os.path.join(TEMP, "place")

    def row(what, status, text, make):
        os.makedirs(place)
        write(os.path.join(place, "a"), "a")
        make()
        expect(what, status, text, "sign", place, "--key", key.path)
        check(what + ": no signature", not os.path.exists(os.path.join(place, "model.sig"))
              or status == 0)
        shutil.rmtree(place)

    at = os.path.join
    row("not UTF-8", 3, "a\\xff: file name is not valid UTF-8 and cannot be signed",
        lambda: write(at(place.encode(), b"a\xff"), "x"))
    row("link", 3, "b: is a symbolic link", lambda: os.symlink("a", at(place, "b")))
    row("link to a folder", 3, "b: is a symbolic link", lambda: os.symlink(".", at(place, "b")))
    row("dangling link", 3, "b: is a symbolic link", lambda: os.symlink("c", at(place, "b")))
    row("not UTF-8 and ignored", 0, "",
        lambda: (os.mkdir(at(place, ".git")), write(at(place.encode(), b".git/\xff"), "x")))
    row("FIFO", 3, "b: is neither", lambda: os.mkfifo(at(place, "b")))
    row("socket", 3, "b: is neither",
        lambda: socket.socket(socket.AF_UNIX).bind(at(place, "b")))
    row("nothing", 3, "there is no file", lambda: os.remove(at(place, "a")))
    row("empty folders", 3, "there is no file",
        lambda: (os.remove(at(place, "a")), os.makedirs(at(place, "b/c"))))
    row("git only", 3, "there is no file",
        lambda: (os.rename(at(place, "a"), at(place, ".gitignore"))))
    row("a link in .git", 0, "", lambda: (os.mkdir(at(place, ".git")),
                                          os.symlink("x", at(place, ".git/y"))))
    expect("no directory", 6, "cannot open the directory", "sign", place, "--key", key.path)


# ---- bundles of others --------------------------------------------------------------------

def test_bundles(keys):
    """The acceptance matrix: (what, status, text, bundle)."""
    key, other, large = keys["prime256v1"], keys["other"], keys["secp384r1"]
    files = oms.files_of(OUT)
    good = oms.statement(files)
    payload = json.dumps(good).encode()
    base = oms.signed(good, key)
    signed_by = "signed by key " + key.hint

    def changed(change, start=base):
        made = copy.deepcopy(start)
        change(made)
        return made

    def restated(change):
        return oms.signed(changed(change, good), key)

    def envelope(name, value):
        return changed(lambda b: b["dsseEnvelope"].__setitem__(name, value))

    def signature(value):
        return changed(lambda b: b["dsseEnvelope"].__setitem__("signatures", [value]))

    def material(name, value):
        return changed(lambda b: b["verificationMaterial"].__setitem__(name, value))

    sig = base["dsseEnvelope"]["signatures"][0]["sig"]
    encoded = base["dsseEnvelope"]["payload"]
    serialization = lambda s: s["predicate"]["serialization"]
    rows = [
        ("compact", 0, signed_by, json.dumps(base, separators=(",", ":"))),
        ("pretty", 0, signed_by, json.dumps(base, indent=4) + "\n"),
        ("no tlogEntries", 0, signed_by,
         changed(lambda b: b["verificationMaterial"].pop("tlogEntries"))),
        ("keyid null", 0, signed_by, signature({"sig": sig, "keyid": None})),
        ("no keyid", 0, signed_by, signature({"sig": sig})),
        ("no hint", 0, "older format", material("publicKey", {})),
        ("hint null", 0, "older format", material("publicKey", {"hint": None})),
        ("before 1.1.0", 0, "older format", material("publicKey", {
            "rawBytes": "AAAA", "keyDetails": "PKIX_ECDSA_P256_SHA_256"})),
        ("two signatures", 0, signed_by, envelope("signatures", [{"sig": sig}] * 2)),
        ("newlines in base64", 0, signed_by, envelope("payload", "\n".join(
            encoded[i:i + 76] for i in range(0, len(encoded), 76)) + "\n")),
        ("newline after payload", 0, signed_by, oms.signed(payload + b"\n", key)),
        ("extra predicate field", 0, signed_by,
         restated(lambda s: s["predicate"].__setitem__("extra", 1))),
        ("another order", 0, signed_by, oms.signed(oms.statement(files[::-1]), key)),
        ("another directory name", 0, signed_by, oms.signed(oms.statement(files, "x"), key)),

        ("unknown key", 3, "/extra: unknown key", changed(lambda b: b.update(extra=1))),
        ("unknown in material", 3, "/verificationMaterial/x: unknown key", material("x", 1)),
        ("unknown in publicKey", 3, "/verificationMaterial/publicKey/x: unknown key",
         material("publicKey", {"hint": key.hint, "x": 1})),
        ("unknown in envelope", 3, "/dsseEnvelope/x: unknown key", envelope("x", 1)),
        ("unknown in signature", 3, "/dsseEnvelope/signatures/0/x: unknown key",
         signature({"sig": sig, "x": 1})),
        ("old mediaType", 3, "/mediaType: expected", changed(lambda b: b.update(
            mediaType="application/vnd.dev.sigstore.bundle+json;version=0.3"))),
        ("no mediaType", 3, "/mediaType: is missing", changed(lambda b: b.pop("mediaType"))),
        ("no material", 3, "/verificationMaterial: is missing",
         changed(lambda b: b.pop("verificationMaterial"))),
        ("neither key nor chain", 3, "has neither",
         changed(lambda b: b.update(verificationMaterial={"tlogEntries": []}))),
        ("both key and chain", 3, "has both",
         material("x509CertificateChain", {"certificates": [{"rawBytes": "AA=="}]})),
        ("no envelope", 3, "/dsseEnvelope: is missing",
         changed(lambda b: b.pop("dsseEnvelope"))),
        ("messageSignature", 3, "/messageSignature: stands in the place",
         changed(lambda b: (b.pop("dsseEnvelope"), b.update(messageSignature={})))),
        ("both envelopes", 3, "/messageSignature: stands beside",
         changed(lambda b: b.update(messageSignature={}))),
        ("keyless", 4, "not supported", material("certificate", {"rawBytes": "AA=="})),
        ("with a log", 4, "not supported", material("tlogEntries", [{}])),
        ("payloadType", 3, "/dsseEnvelope/payloadType: expected",
         envelope("payloadType", "application/json")),
        ("no signature", 3, "/dsseEnvelope/signatures: is empty", envelope("signatures", [])),
        ("no sig", 3, "/dsseEnvelope/signatures/0/sig: is missing", signature({"keyid": ""})),
        ("payload is a number", 3, "/dsseEnvelope/payload: is of the wrong", envelope("payload", 1)),
        ("sig of the wrong alphabet", 3, "is not base64", signature({"sig": "-_-_"})),
        ("sig without padding", 3, "is not base64", signature({"sig": "AAA"})),
        ("sig with bits to spare", 3, "is not base64", signature({"sig": "AB=="})),
        ("payload not base64", 3, "/dsseEnvelope/payload: is not base64",
         envelope("payload", encoded[:-1])),
        ("hint empty", 0, "older format", material("publicKey", {"hint": ""})),
        ("hint is a number", 3, "/verificationMaterial/publicKey/hint: is of the wrong",
         material("publicKey", {"hint": 1})),
        ("publicKey is a list", 3, "/verificationMaterial/publicKey: is of the wrong",
         material("publicKey", [])),
        ("log is a number", 3, "/verificationMaterial/tlogEntries: is of the wrong",
         material("tlogEntries", 1)),
        ("material is a text", 3, "/verificationMaterial: is of the wrong",
         changed(lambda b: b.update(verificationMaterial="x"))),
        ("mediaType is a number", 3, "/mediaType: is of the wrong",
         changed(lambda b: b.update(mediaType=1))),
        ("no payloadType", 3, "/dsseEnvelope/payloadType: is missing",
         changed(lambda b: b["dsseEnvelope"].pop("payloadType"))),
        ("no payload", 3, "/dsseEnvelope/payload: is missing",
         changed(lambda b: b["dsseEnvelope"].pop("payload"))),
        ("no signatures", 3, "/dsseEnvelope/signatures: is missing",
         changed(lambda b: b["dsseEnvelope"].pop("signatures"))),
        ("signatures is an object", 3, "/dsseEnvelope/signatures: is of the wrong",
         envelope("signatures", {})),
        ("a signature is a text", 3, "/dsseEnvelope/signatures: has something", signature(sig)),
        ("the second is a number", 3, "/dsseEnvelope/signatures: has something",
         envelope("signatures", [{"sig": sig}, 1])),
        ("keyid is a number", 3, "/dsseEnvelope/signatures/0/keyid: is of the wrong",
         signature({"sig": sig, "keyid": 1})),
        ("not JSON", 3, "not strict JSON", b"{"),
        ("empty", 3, "not strict JSON", b""),
        ("a list", 3, "no JSON object", []),
        ("duplicate keys", 3, "duplicate key",
         json.dumps(base)[:-1] + ', "mediaType": "%s"}' % oms.BUNDLE_TYPE),

        ("upper-case hint", 1, "signed by key",
         material("publicKey", {"hint": key.hint.upper()})),
        ("wrong hint", 1, "signed by key %s, you gave %s" % (other.hint, key.hint),
         material("publicKey", {"hint": other.hint})),
        ("another key", 1, "signed by key %s, you gave %s" % (other.hint, key.hint),
         oms.signed(good, other)),
        ("another key, hint of ours", 1, "signature does not verify with key " + key.hint,
         oms.signed(good, other, oms.material_of(key))),
        ("changed payload", 1, "signature does not verify",
         envelope("payload", oms.b64(payload.replace(b"config.json", b"config.jsoN")))),
        ("not PAE", 1, "signature does not verify",
         oms.bundle(payload, key.sign(payload), oms.material_of(key))),
        ("another type in PAE", 1, "signature does not verify", oms.bundle(
            payload, key.sign(oms.pae(payload, "application/json")), oms.material_of(key))),
        ("raw r and s", 1, "signature does not verify", signature({"sig": oms.b64(raw_of(
            base64.b64decode(sig)))})),
        ("trailing byte in DER", 1, "signature does not verify", signature(
            {"sig": oms.b64(base64.b64decode(sig) + b"\0")})),
        ("empty sig", 1, "signature does not verify", signature({"sig": ""})),
        ("first of two is wrong", 1, "signature does not verify",
         envelope("signatures", [{"sig": "AAAA"}, {"sig": sig}])),
        ("decoded twice", 3, "not strict JSON",
         oms.signed(oms.b64(payload).encode(), key)),
        ("payload with duplicate keys", 3, "duplicate key", oms.signed(
            payload[:-1] + b', "predicateType": "x"}', key)),
        ("the same, not signed", 1, "signature does not verify",
         envelope("payload", oms.b64(payload[:-1] + b', "predicateType": "x"}'))),

        ("another _type", 4, "/_type: expected", restated(lambda s: s.update(_type="x"))),
        ("another predicate", 4, "/predicateType: expected",
         restated(lambda s: s.update(predicateType="https://slsa.dev/provenance/v1"))),
        ("model-signing 0.2", 4, "older format", oms.bundle(
            b'{"predicateType":"https://model_signing/Digests/v0.1"}', b"0", oms.material_of(key))),
        ("two subjects", 3, "expected one subject, found 2",
         restated(lambda s: s["subject"].append(s["subject"][0]))),
        ("wrong root", 3, "root digest does not match the resource list", restated(
            lambda s: s["subject"][0]["digest"].update(sha256="0" * 64))),
        ("root in sorted order", 3, "root digest does not match", restated(
            lambda s: s["predicate"]["resources"].reverse())),
        ("shards", 4, "shard serialization is not supported",
         restated(lambda s: serialization(s).update(method="shards"))),
        ("unknown method", 4, "/predicate/serialization/method: expected",
         restated(lambda s: serialization(s).update(method="x"))),
        ("unknown hash", 4, "/predicate/serialization/hash_type: expected",
         restated(lambda s: serialization(s).update(hash_type="blake2b"))),
        ("unknown algorithm", 4, "/predicate/resources/0/algorithm: expected", restated(
            lambda s: s["predicate"]["resources"][0].update(algorithm="blake3"))),
        ("upper-case digest", 3, "/predicate/resources/0/digest: is no SHA-256", restated(
            lambda s: s["predicate"]["resources"][0].update(digest="A" * 64))),
        ("no resources", 3, "/predicate/resources: is empty", oms.signed(oms.statement([]), key)),
        ("twice", 3, 'lists "SHA256SUMS" twice',
         oms.signed(oms.statement([files[0]] + files), key)),
        ("way out", 5, "refusing a path outside the directory",
         oms.signed(oms.statement([("../x", files[0][1])] + files), key)),
        ("absolute", 5, "refusing a path outside the directory",
         oms.signed(oms.statement([("/etc/passwd", files[0][1])] + files), key)),
        ("dots", 3, "is not a plain relative path",
         oms.signed(oms.statement([("./x", files[0][1])] + files), key)),
    ] + statement_rows(restated, key)
    for what, status, text, content in rows:
        verify(what, status, text, content, "--key", key.public)
    wrong = oms.bundle(payload, large.sign(oms.pae(payload), "sha256"), oms.material_of(large))
    verify("P-384 with SHA-256", 1, "signature does not verify", wrong, "--key", large.public)
    verify("private key", 0, signed_by, base, "--key", key.path)
    verify("SHA-256 of the file as found", 0, signed_by, base, "--key", reflowed(key))
    expect("missing signature", 6, "cannot open it", "verify", OUT, "--signature", "none.sig",
           "--key", key.public)
    expect("missing key", 6, "cannot open it", "verify", OUT, "--signature", SIG, "--key", "none")
    os.truncate(SIG, (64 << 20) + 1)
    expect("signature of 64 MiB", 8, "too large for a signature", "verify", OUT, "--signature", SIG,
           "--key", key.public)
    for path in sorted(os.listdir(OUT)):
        check("nothing was made", path in [name for name, _ in files], path)


def statement_rows(restated, key):
    """Statements that are signed well and are not what they should be."""
    def named(name):
        return restated(lambda s: s["predicate"]["resources"][0].update(name=name))

    predicate = lambda s: s["predicate"]
    serialization = lambda s: predicate(s)["serialization"]
    first = lambda s: predicate(s)["resources"][0]
    subject = lambda s: s["subject"][0]
    return [
        ("statement is a list", 3, "the statement: is no JSON object", oms.signed([], key)),
        ("no _type", 3, "/_type: is missing", restated(lambda s: s.pop("_type"))),
        ("no predicateType", 3, "/predicateType: is missing",
         restated(lambda s: s.pop("predicateType"))),
        ("no subject", 3, "/subject: is missing", restated(lambda s: s.pop("subject"))),
        ("subject is an object", 3, "/subject: is of the wrong",
         restated(lambda s: s.update(subject={}))),
        ("subject of nothing", 3, "expected one subject, found 0",
         restated(lambda s: s.update(subject=[]))),
        ("subject is a text", 3, "/subject/0: is of the wrong",
         restated(lambda s: s.update(subject=["out"]))),
        ("subject has no name", 3, "/subject/0/name: is missing",
         restated(lambda s: subject(s).pop("name"))),
        ("subject has no digest", 3, "/subject/0/digest: is missing",
         restated(lambda s: subject(s).pop("digest"))),
        ("subject has no SHA-256", 3, "/subject/0/digest/sha256: is missing",
         restated(lambda s: subject(s).update(digest={"sha512": "0" * 128}))),
        ("root of 63 digits", 3, "/subject/0/digest/sha256: is no SHA-256",
         restated(lambda s: subject(s)["digest"].update(sha256="0" * 63))),
        ("root of letters", 3, "root digest does not match",
         restated(lambda s: subject(s)["digest"].update(sha256="x" * 64))),
        ("no predicate", 3, "/predicate: is missing", restated(lambda s: s.pop("predicate"))),
        ("no serialization", 3, "/predicate/serialization: is missing",
         restated(lambda s: predicate(s).pop("serialization"))),
        ("no method", 3, "/predicate/serialization/method: is missing",
         restated(lambda s: serialization(s).pop("method"))),
        ("method is a number", 3, "/predicate/serialization/method: is of the wrong",
         restated(lambda s: serialization(s).update(method=1))),
        ("no hash_type", 3, "/predicate/serialization/hash_type: is missing",
         restated(lambda s: serialization(s).pop("hash_type"))),
        ("allow_symlinks is a text", 3, "/predicate/serialization/allow_symlinks: is of the wrong",
         restated(lambda s: serialization(s).update(allow_symlinks="no"))),
        ("no allow_symlinks", 0, "signed by key",
         restated(lambda s: serialization(s).pop("allow_symlinks"))),
        ("no ignore_paths", 0, "signed by key",
         restated(lambda s: serialization(s).pop("ignore_paths"))),
        ("ignore_paths is empty", 0, "signed by key",
         restated(lambda s: serialization(s).update(ignore_paths=[]))),
        ("ignore_paths is a text", 3, "/predicate/serialization/ignore_paths: is of the wrong",
         restated(lambda s: serialization(s).update(ignore_paths=".git"))),
        ("ignore_paths of numbers", 3, "/predicate/serialization/ignore_paths: has something",
         restated(lambda s: serialization(s).update(ignore_paths=[".git", 1]))),
        ("no list of resources", 3, "/predicate/resources: is missing",
         restated(lambda s: predicate(s).pop("resources"))),
        ("a resource is a text", 3, "/predicate/resources/1: is of the wrong",
         restated(lambda s: predicate(s)["resources"].insert(1, "config.json"))),
        ("resource without algorithm", 3, "/predicate/resources/0/algorithm: is missing",
         restated(lambda s: first(s).pop("algorithm"))),
        ("resource without digest", 3, "/predicate/resources/0/digest: is missing",
         restated(lambda s: first(s).pop("digest"))),
        ("digest of 65 digits", 3, "/predicate/resources/0/digest: is no SHA-256",
         restated(lambda s: first(s).update(digest="0" * 65))),
        ("digest of letters", 3, "/predicate/resources/0/digest: is no SHA-256",
         restated(lambda s: first(s).update(digest="g" * 64))),
        ("resource without name", 3, "/predicate/resources/0/name: is missing",
         restated(lambda s: first(s).pop("name"))),
        ("empty name", 3, "is not a plain relative path", named("")),
        ("name that ends in a slash", 3, "is not a plain relative path", named("a/")),
        ("two slashes", 3, "is not a plain relative path", named("a//b")),
        ("a dot inside", 3, "is not a plain relative path", named("a/./b")),
        ("out and in again", 5, "refusing a path outside the directory", named("a/../b")),
        ("out at the end", 5, "refusing a path outside the directory", named("a/..")),
        ("three dots", 1, "...: was signed, but is missing", named("...")),
        ("two letters", 1, "ab: was signed, but is missing", named("ab")),
    ]


def raw_of(der):
    """r || s of a DER SEQUENCE of two INTEGERs below 128 bytes."""
    first = der[4:4 + der[3]]
    second = der[4 + der[3] + 2:]
    return first[-32:].rjust(32, b"\0") + second[-32:].rjust(32, b"\0")


def reflowed(key):
    """The same key in lines of another length: the hint is over the usual ones."""
    path = os.path.join(TEMP, "reflowed.pub")
    lines = read(key.public).decode().split("\n")
    body = "".join(lines[1:-2])
    write(path, "\n".join(["a comment before", lines[0]] + [body[i:i + 32] for i in range(
        0, len(body), 32)] + lines[-2:]))
    return path


def test_certificates(keys):
    root_key, key, other = keys["root"], keys["prime256v1"], keys["other"]
    ca = "basicConstraints=critical,CA:TRUE\nkeyUsage=keyCertSign\n"
    leaf = "basicConstraints=CA:FALSE\nkeyUsage=digitalSignature\n"
    make = lambda *words, **more: oms.make_certificate(TEMP, *words, **more)
    root = make("root", root_key, None, ca)
    middle = make("middle", other, (root, root_key), ca, serial=2)
    plain = make("plain", other, (root, root_key), leaf, serial=3)
    stranger = make("stranger", other, None, ca)
    good = make("good", key, (middle, other), leaf)
    names = {
        "good": good,
        "code": make("code", key, (middle, other), "extendedKeyUsage=codeSigning\n"),
        "neither": make("neither", key, (middle, other), "keyUsage=keyEncipherment\n"
                        "extendedKeyUsage=serverAuth\n"),
        "bare": make("bare", key, (middle, other), ""),
        "late": make("late", key, (middle, other), leaf, days=-1),
        "below": make("below", key, (plain, other), leaf),
    }
    statement = oms.statement(oms.files_of(OUT))

    def row(what, status, text, *chain, trust=root, by=key):
        verify("certificate: " + what, status, text, oms.signed(
            statement, by, oms.chain_material(*chain)), "--ca", trust)

    row("good", 0, "signed by CN=good,O=Test, key " + key.hint, good, middle)
    row("with the root", 0, "signed by CN=good", good, middle, root)
    row("codeSigning", 0, "signed by CN=code", names["code"], middle)
    row("no usage", 1, "may not sign", names["bare"], middle)
    row("another usage", 1, "may not sign", names["neither"], middle)
    row("no way to the root", 1, "unable to get local issuer certificate", good)
    row("unknown root", 1, "not trusted", good, middle, trust=stranger)
    row("issuer is no CA", 1, "invalid CA certificate", names["below"], plain)
    row("signed by another key", 1, "signature does not verify", good, middle, by=other)
    row("self-signed", 1, "not trusted", stranger, by=other)
    verify("certificate: key given", 0, "signed by key " + key.hint, oms.signed(
        statement, key, oms.chain_material(good, middle)), "--key", key.public)
    verify("certificate: as a key", 0, "signed by key " + key.hint, oms.signed(statement, key),
           "--key", good)
    verify("certificate: bundle of a bare key", 1, "bare key", oms.signed(statement, key),
           "--ca", root)
    material = oms.chain_material(good)
    material["x509CertificateChain"]["certificates"][0]["rawBytes"] = "AAAA"
    verify("certificate: damaged", 3, "/verificationMaterial/x509CertificateChain/certificates/0/"
           "rawBytes: is not a DER certificate", oms.signed(statement, key, material), "--ca", root)
    for what, text, made in (
            ("is a text", "/certificates/0: is of the wrong", ["x"]),
            ("with something else", "/certificates/0/x: unknown key",
             [{"rawBytes": "AA==", "x": 1}]),
            ("without bytes", "/certificates/0/rawBytes: is missing", [{}]),
            ("not base64", "/certificates/0/rawBytes: is not base64", [{"rawBytes": "A"}])):
        material["x509CertificateChain"]["certificates"] = made
        verify("certificate: " + what, 3, text, oms.signed(statement, key, material), "--ca", root)
    for what, text, made in (("chain is a list", "x509CertificateChain: is of the wrong", []),
                             ("chain of nothing", "/certificates: is missing", {}),
                             ("chain with more", "/x: unknown key", {"certificates": [], "x": 1}),
                             ("certificates is a text", "/certificates: is of the wrong",
                              {"certificates": "x"})):
        material["x509CertificateChain"] = made
        verify("certificate: " + what, 3, text, oms.signed(statement, key, material), "--ca", root)
    verify("certificate: none", 3, "certificates: is empty", oms.signed(
        statement, key, oms.chain_material()), "--ca", root)
    verify("certificate: too many", 8, "more than 16", oms.signed(
        statement, key, oms.chain_material(*[middle] * 17)), "--ca", root)
    expect("roots are none", 3, "not a certificate in PEM", "verify", OUT, "--signature", SIG,
           "--ca", key.public)
    test_expired(keys, root, middle, statement)

    chain = os.path.join(TEMP, "chain.pem")
    write(chain, read(good) + read(middle))
    expect("sign with a chain", 0, "", "sign", "-f", OUT, "--key", key.path, "--certificate",
           chain, "-o", SIG)
    made = json.loads(read(SIG))
    check("chain in the bundle", made["verificationMaterial"] == oms.chain_material(good, middle),
          made)
    expect("verify a chain", 0, "signed by CN=good", "verify", OUT, "--signature", SIG, "--ca",
           root)
    expect("over the certificate", 2, "which it is made with", "sign", "-f", OUT, "--key",
           key.path, "--certificate", chain, "-o", chain)
    expect("certificate of another", 1, key.hint, "sign", "-f", OUT, "--key", other.path,
           "--certificate", chain, "-o", SIG)
    for what, status, text, content in (
            ("no certificate", 3, "not a certificate in PEM", read(key.public)),
            ("empty", 3, "not a certificate in PEM", b""),
            ("too many", 8, "more than 16", read(middle) * 17)):
        write(chain, content)
        expect("certificate: sign with " + what, status, text, "sign", "-f", OUT, "--key",
               key.path, "--certificate", chain, "-o", SIG)
    expect("certificate: sign with none there", 6, "cannot open it", "sign", "-f", OUT, "--key",
           key.path, "--certificate", os.path.join(TEMP, "none"), "-o", SIG)
    expect("certificate that may not", 1, "may not sign", "sign", "-f", OUT, "--key", key.path,
           "--certificate", names["bare"], "-o", SIG)


def test_expired(keys, root, middle, statement):
    """A leaf of 2020 with the root's name would begin before its issuers; so all are of then."""
    then = ["-not_before", "20200101000000Z", "-not_after", "20200201000000Z"]
    config, key = os.path.join(TEMP, "ca.cnf"), keys["prime256v1"]
    write(os.path.join(TEMP, "index"), "")
    write(config, "[ca]\ndefault_ca=x\n[x]\ndatabase=%s/index\nnew_certs_dir=%s\nrand_serial=1\n"
          "default_md=sha256\npolicy=p\n[p]\nO=optional\nCN=supplied\n[root]\nbasicConstraints="
          "CA:TRUE\n[leaf]\nkeyUsage=digitalSignature\n" % (TEMP, TEMP))
    made = {}
    for name, by, words in ("then", keys["root"], ["-selfsign"]), ("past", key, []):
        request = os.path.join(TEMP, name + ".csr")
        made[name] = os.path.join(TEMP, name + ".crt")
        oms.openssl("req", "-new", "-key", by.path, "-subj", "/O=Test/CN=" + name, "-out", request)
        oms.openssl("ca", "-batch", "-config", config, "-in", request, "-keyfile",
                    keys["root"].path, *(words or ["-cert", made["then"]]), "-extensions",
                    "root" if words else "leaf", "-startdate", "20200101000000Z", "-enddate",
                    "20200201000000Z", "-notext", "-out", made[name])
    verify("certificate: expired", 0, "has expired since", oms.signed(
        statement, key, oms.chain_material(made["past"])), "--ca", made["then"])
    expect("sign with one that expired", 0, "the certificate has expired", "sign", "-f", OUT,
           "--key", key.path, "--certificate", made["past"], "-o", SIG)


# ---- files ------------------------------------------------------------------------------

def test_files(key):
    place = os.path.join(TEMP, "files")
    at = lambda name: os.path.join(place, name)

    def row(what, status, texts, change, links=False):
        shutil.copytree(OUT, place)
        os.mkdir(at("sub"))
        write(at("sub/b"), "b")
        os.remove(at("SHA256SUMS"))     # so that all is found by the signature alone
        os.remove(at("conversion.json"))
        made = oms.statement(oms.files_of(place))
        made["predicate"]["serialization"]["allow_symlinks"] = links
        write(at("model.sig"), oms.signed(made, key))
        change()
        found = m2h("verify", place, "--signature", at("model.sig"), "--key", key.public,
                    "--progress=none")
        check(what, found[0] == status and all(text in found[1] for text in texts),
              "expected status %d and %s, found %d:\n%s" % (status, texts, *found))
        shutil.rmtree(place)

    row("as signed", 0, ["ok"], lambda: None)
    row("missing", 1, ["sub/b: was signed, but is missing"], lambda: os.remove(at("sub/b")))
    row("added", 1, ["sub/c: was not signed"], lambda: write(at("sub/c"), "c"))
    row("list of checksums added", 1, ["SHA256SUMS: was not signed"], lambda: write(
        at("SHA256SUMS"), "".join("%s  %s\n" % (d, n) for n, d in oms.files_of(place))))
    row("renamed", 1, ['sub/c: was renamed after signing: it was signed as "sub/b"',
                       "sub/b: was signed, but is missing"],
        lambda: os.rename(at("sub/b"), at("sub/c")))
    row("swapped", 3, ["sub/b: was changed after signing", "config.json: was changed"],
        lambda: (os.rename(at("sub/b"), at("x")), os.rename(at("config.json"), at("sub/b")),
                 os.rename(at("x"), at("config.json"))))
    row("link to the same", 1, ["sub/b: is or lies behind a symbolic link"],
        lambda: (os.rename(at("sub/b"), at(".gitb")), os.symlink("../.gitb", at("sub/b"))))
    # Plain verification too says of such a link that it is no file.
    row("folder is a link", 6, ["sub/b: is or lies behind", "sub: is a symbolic link that was"],
        lambda: (os.mkdir(at(".gitsub")), os.rename(at("sub/b"), at(".gitsub/b")),
                 os.rmdir(at("sub")), os.symlink(".gitsub", at("sub"))))
    row("links allowed", 0, ["ok"],
        lambda: (os.rename(at("sub/b"), at(".gitb")), os.symlink("../.gitb", at("sub/b"))),
        links=True)
    row("link added", 1, ["sub/c: is a symbolic link that was not signed"],
        lambda: os.symlink("b", at("sub/c")))
    row("what does not count", 0, ["ok"], lambda: (
        os.mkdir(at(".git")), write(at(".git/x"), "x"), os.mkdir(at(".cache")),
        write(at(".cache/x"), "x"), write(at(".gitattributes"), "x"), os.mkdir(at("empty"))))
    row("everything at once", 1, ["config.json: was changed", "sub/b: was signed, but",
                                  "extra: was not signed"],
        lambda: (write(at("config.json"), read(at("config.json")) + b"\n"),
                 os.remove(at("sub/b")), write(at("extra"), "x")))

    # What plain verification does not enter is read when it was signed.
    os.makedirs(at(".cache"))
    write(at(".cache/x"), "x")
    write(at(".gitmodules"), "x")
    expect("sign odd files", 0, "", "sign", place, "--key", key.path)
    write(at(".cache/x"), "y")
    expect("odd file changed", 1, ".cache/x: was changed", "verify", place, "--signature",
           at("model.sig"), "--key", key.public)
    os.remove(at(".gitmodules"))
    expect("odd file missing", 1, ".gitmodules: was signed, but", "verify", place, "--signature",
           at("model.sig"), "--key", key.public)
    shutil.rmtree(place)


def test_bits(key):
    """One changed bit anywhere in the signature or in a file is found."""
    random.seed(24)
    expect("sign", 0, "", "sign", "-f", OUT, "--key", key.path, "-o", SIG)
    whole = read(SIG)
    flip = lambda data, at, bit: data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1:]
    for _ in range(200):
        at, bit = random.randrange(len(whole)), random.randrange(8)
        write(SIG, flip(whole, at, bit))
        found = m2h("verify", OUT, "--signature", SIG, "--key", key.public)
        check("bit %d of byte %d of the signature" % (bit, at), found[0] in (1, 3, 4), found)
    write(SIG, whole)
    for name, _ in oms.files_of(OUT):
        content = read(os.path.join(OUT, name))
        for at in {0, len(content) - 1, random.randrange(len(content))}:
            write(os.path.join(OUT, name), flip(content, at, random.randrange(8)))
            found = m2h("verify", OUT, "--signature", SIG, "--key", key.public)
            check("byte %d of %s" % (at, name), found[0] != 0
                  and name + ": was changed after signing" in found[1], found)
        write(os.path.join(OUT, name), content)
    expect("all as before", 0, "ok", "verify", OUT, "--signature", SIG, "--key", key.public)


def main():
    ran = m2h("convert", "-q", SOURCE, "-o", OUT, "--tokenizer", "none")
    if ran[0] != 0:
        sys.exit("sign: %s" % ran[1])
    keys = {curve: oms.Key(TEMP, curve, curve) for curve in oms.HASHES}
    test_made(keys)
    keys["other"] = oms.Key(TEMP, "other", "prime256v1")
    keys["root"] = oms.Key(TEMP, "root", "secp384r1")
    test_output(keys["prime256v1"])
    test_keys(keys)
    test_directories(keys["prime256v1"])
    test_bundles(keys)
    test_certificates(keys)
    test_files(keys["prime256v1"])
    test_bits(keys["secp521r1"])
    print("sign: %d passed, %d failed" % (passed, failed))
    sys.exit(failed != 0)


main()
