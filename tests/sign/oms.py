"""OpenSSF Model Signing v1.0 by the standard library and the openssl command: keys,
certificates, statements, bundles.  Nothing here knows how megatron2hf does it."""
import base64
import hashlib
import json
import os
import subprocess

BUNDLE_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"
PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "https://model_signing/signature/v1.0"
IGNORED = [".git", ".gitattributes", ".github", ".gitignore", "model.sig"]
HASHES = {"prime256v1": "sha256", "secp384r1": "sha384", "secp521r1": "sha512"}


def openssl(*words, stdin=None):
    """What it prints, as bytes; an exception when it fails."""
    return subprocess.run(["openssl", *words], input=stdin, check=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE).stdout


def b64(data):
    return base64.b64encode(data).decode()


class Key:
    """A private key FOLDER/NAME.pem with its public half FOLDER/NAME.pub."""

    def __init__(self, folder, name, curve):
        self.path = os.path.join(folder, name + ".pem")
        self.public = os.path.join(folder, name + ".pub")
        self.curve = curve
        openssl("ecparam", "-name", curve, "-genkey", "-noout", "-out", self.path)
        os.chmod(self.path, 0o600)
        openssl("pkey", "-in", self.path, "-pubout", "-out", self.public)
        with open(self.public, "rb") as file:
            self.hint = hashlib.sha256(file.read()).hexdigest()

    def sign(self, data, hash_name=None):
        return openssl("dgst", "-" + (hash_name or HASHES.get(self.curve, "sha256")),
                       "-sign", self.path, stdin=data)


def pae(payload, payload_type=PAYLOAD_TYPE):
    kind = payload_type.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


def files_of(directory):
    """[(name, hex)] of every file that v1.0 signs, by name."""
    found = []
    for folder, _, names in os.walk(directory):
        for name in names:
            path = os.path.relpath(os.path.join(folder, name), directory)
            if path.split("/")[0] not in IGNORED:
                with open(os.path.join(folder, name), "rb") as file:
                    found.append((path, hashlib.sha256(file.read()).hexdigest()))
    return sorted(found)


def root_of(files):
    return hashlib.sha256(b"".join(bytes.fromhex(digest) for _, digest in files)).hexdigest()


def statement(files, name="out"):
    return {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": name, "digest": {"sha256": root_of(files)}}],
        "predicateType": PREDICATE_TYPE,
        "predicate": {
            "serialization": {"method": "files", "hash_type": "sha256",
                              "allow_symlinks": False, "ignore_paths": list(IGNORED)},
            "resources": [{"name": path, "algorithm": "sha256", "digest": digest}
                          for path, digest in files]}}


def material_of(key):
    return {"publicKey": {"hint": key.hint}, "tlogEntries": []}


def bundle(payload, sig, material):
    return {"mediaType": BUNDLE_TYPE, "verificationMaterial": material,
            "dsseEnvelope": {"payload": b64(payload), "payloadType": PAYLOAD_TYPE,
                             "signatures": [{"sig": b64(sig), "keyid": ""}]}}


def signed(payload, key, material=None):
    """A bundle over a statement, or over bytes as they are."""
    if not isinstance(payload, bytes):
        payload = json.dumps(payload).encode()
    return bundle(payload, key.sign(pae(payload)), material or material_of(key))


def make_certificate(folder, name, key, issuer=None, extensions="", days=30, serial=1):
    """FOLDER/NAME.crt of the key: by itself, or signed by issuer, a (certificate, key)."""
    path = os.path.join(folder, name + ".crt")
    request = openssl("req", "-new", "-key", key.path, "-subj", "/O=Test/CN=" + name)
    config = os.path.join(folder, name + ".ext")
    with open(config, "w") as file:
        file.write(extensions)
    by = ["-signkey", key.path] if issuer is None else ["-CA", issuer[0], "-CAkey", issuer[1].path]
    openssl("x509", "-req", *by, "-days", str(days), "-set_serial", str(serial),
            "-extfile", config, "-out", path, stdin=request)
    return path


def der_of(certificate):
    return openssl("x509", "-in", certificate, "-outform", "DER")


def chain_material(*certificates):
    return {"x509CertificateChain": {"certificates": [
        {"rawBytes": b64(der_of(path))} for path in certificates]}, "tlogEntries": []}
