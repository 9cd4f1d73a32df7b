"""model-signing verifies what we sign, and we what it signs: keys and certificates.

    python signing.py WORK
"""
import datetime
import importlib.metadata
import os
import subprocess
import sys

sys.dont_write_bytecode = True
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from checks import Checks, MEGATRON2HF, MINI, MINI_OPTIONS, convert

CURVES = {"P-256": ec.SECP256R1(), "P-384": ec.SECP384R1(), "P-521": ec.SECP521R1()}


def start(*command):
    return subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)


def theirs(*arguments):
    return start(sys.executable, "-m", "model_signing", *arguments)


def ours(*arguments):
    return start(MEGATRON2HF, *arguments)


def write(path, data):
    with open(path, "wb") as file:
        file.write(data)
    os.chmod(path, 0o600)
    return path


def key_files(work, name, key):
    """Paths of the private and the public key."""
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                serialization.NoEncryption())
    public = key.public_key().public_bytes(serialization.Encoding.PEM,
                                           serialization.PublicFormat.SubjectPublicKeyInfo)
    return write(work + "/%s.pem" % name, private), write(work + "/%s.pub" % name, public)


def certificate(subject, key, issuer, issuer_key, is_root):
    name = lambda text: x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])
    now = datetime.datetime.now(datetime.timezone.utc)
    built = (x509.CertificateBuilder().subject_name(name(subject)).issuer_name(name(issuer))
             .public_key(key.public_key()).serial_number(x509.random_serial_number())
             .not_valid_before(now - datetime.timedelta(days=1))
             .not_valid_after(now + datetime.timedelta(days=30))
             .add_extension(x509.BasicConstraints(is_root, None), True)
             .add_extension(x509.KeyUsage(not is_root, False, False, False, False, is_root, is_root,
                                          False, False), True)
             .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
             .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(
                 issuer_key.public_key()), False))
    if not is_root:
        built = built.add_extension(x509.ExtendedKeyUsage(
            [x509.ExtendedKeyUsageOID.CODE_SIGNING]), False)
    return built.sign(issuer_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def good(cell, what, done):
    cell.check(done.returncode == 0, "%s: status %d: %s", what, done.returncode,
               done.stdout.decode(errors="replace")[-400:])


def bad(cell, what, done):
    cell.check(done.returncode == 1, "%s: status %d: %s", what, done.returncode,
               done.stdout.decode(errors="replace")[-400:])


def keys(cell, work, folder):
    for curve, kind in CURVES.items():
        private, public = key_files(work, curve, ec.generate_private_key(kind))
        _, other = key_files(work, curve + "-other", ec.generate_private_key(kind))
        for who in "ours", "theirs":
            signature = work + "/%s-%s.sig" % (curve, who)
            if who == "ours":
                good(cell, "sign " + curve, ours("sign", folder, "--key", private, "-o", signature))
            else:
                good(cell, "they sign " + curve, theirs("sign", "key", folder, "--private_key",
                                                        private, "--signature", signature))
            both = [("ours", lambda key: ours("verify", folder, "--signature", signature, "--key",
                                              key)),
                    ("theirs", lambda key: theirs("verify", "key", folder, "--signature", signature,
                                                  "--public_key", key))]
            for verifier, verify in both:
                what = "%s, signed by %s, verified by %s" % (curve, who, verifier)
                good(cell, what, verify(public))
                bad(cell, what + " with another key", verify(other))
                path = os.path.join(folder, "config.json")
                with open(path, "rb") as file:
                    kept = file.read()
                write(path, kept + b"\n")
                bad(cell, what + " after a change", verify(public))
                write(path, kept)


def certificates(cell, work, folder):
    root_key, leaf_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    root = write(work + "/root.crt", certificate("Root", root_key, "Root", root_key, True))
    leaf = write(work + "/leaf.crt", certificate("Signer", leaf_key, "Root", root_key, False))
    stranger = write(work + "/stranger.crt", certificate("Root", leaf_key, "Root", leaf_key, True))
    private, _ = key_files(work, "leaf", leaf_key)
    good(cell, "sign", ours("sign", folder, "--key", private, "--certificate", leaf, "-o",
                            work + "/ours.sig"))
    good(cell, "they sign", theirs("sign", "certificate", folder, "--private_key", private,
                                   "--signing_certificate", leaf, "--certificate_chain", root,
                                   "--signature", work + "/theirs.sig"))
    for who in "ours", "theirs":
        signature = work + "/%s.sig" % who
        good(cell, who + " by us", ours("verify", folder, "--signature", signature, "--ca", root))
        bad(cell, who + " by us, another root",
            ours("verify", folder, "--signature", signature, "--ca", stranger))
        good(cell, who + " by them", theirs("verify", "certificate", folder, "--signature",
                                            signature, "--certificate_chain", root))
        bad(cell, who + " by them, another root",
            theirs("verify", "certificate", folder, "--signature", signature,
                   "--certificate_chain", stranger))


def main(work):
    checks = Checks("signing")
    os.makedirs(work)
    folder = convert(MINI, os.path.join(work, "model"), *MINI_OPTIONS)
    program = "model-signing", importlib.metadata.version("model-signing")
    with checks.cell(*program, "keys on %s: each verifies what the other signed, and refuses another key "
                     "and a changed file" % ", ".join(CURVES)) as cell:
        keys(cell, work, folder)
    with checks.cell(*program, "certificates: each verifies what the other signed, and refuses another "
                     "root") as cell:
        certificates(cell, work, folder)
    return checks.end()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
