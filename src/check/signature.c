#include "check/signature.h"

#include "base/base64.h"
#include "base/json.h"

#include <stdlib.h>
#include <string.h>

/*
 * The bundle of OpenSSF Model Signing v1.0 (ossf/model-signing-spec, spec/v1.0.md):
 *
 *   {"mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
 *    "verificationMaterial": {"publicKey": {"hint": FINGERPRINT}, "tlogEntries": []},
 *    "dsseEnvelope": {"payload": BASE64, "payloadType": "application/vnd.in-toto+json",
 *      "signatures": [{"sig": BASE64, "keyid": ""}]}}
 *
 * or, in the place of publicKey, leaf first,
 *
 *    "x509CertificateChain": {"certificates": [{"rawBytes": BASE64 of DER}, ...]}
 *
 * The signature is over PAE (DSSE v1): "DSSEv1 28 TYPE LENGTH PAYLOAD", 28 being the length of
 * TYPE, the payload type.  Keys that are not named here are refused, as the reference
 * implementation does; of those that it lets pass some are of its own older versions.
 */
#define MEDIA_TYPE   "application/vnd.dev.sigstore.bundle.v0.3+json"
#define PAYLOAD_TYPE "application/vnd.in-toto+json"
/* In the payloads of model-signing 0.2, which signed something else than PAE. */
#define OLD_TYPE     "https://model_signing/Digests/v0.1"

#define MATERIAL "/verificationMaterial"
#define ENVELOPE "/dsseEnvelope"
#define CHAIN    MATERIAL "/x509CertificateChain"

/* The keys that an object may have. */
static const char *const in_bundle[] = {
	"mediaType", "verificationMaterial", "dsseEnvelope", NULL };
static const char *const in_material[] = {
	"publicKey", "x509CertificateChain", "certificate", "tlogEntries",
	"timestampVerificationData", NULL };
static const char *const in_public_key[] = { "hint", "rawBytes", "keyDetails", NULL };
static const char *const in_chain[] = { "certificates", NULL };
static const char *const in_certificate[] = { "rawBytes", NULL };
static const char *const in_envelope[] = { "payload", "payloadType", "signatures", NULL };
static const char *const in_signature[] = { "sig", "keyid", NULL };

static bool
fault(struct error *err, const char *pointer, const char *what)
{
	return error_set(err, ERROR_CORRUPT, "sigunknown", "%s: %s", pointer, what);
}

/* ---- JSON ------------------------------------------------------------------------- */

static bool
is_known(const char *key, const char *const *known)
{
	for (; *known != NULL; known++) {
		if (strcmp(key, *known) == 0)
			return true;
	}
	return false;
}

/* Every member must be one of `known`, a list that ends with NULL. */
static bool
only_known(const struct json *object, const char *pointer, const char *const *known,
	struct error *err)
{
	for (const struct json *at = json_first(object); at != NULL; at = json_next(at)) {
		if (!is_known(json_key(at), known))
			return error_set(err, ERROR_CORRUPT, "sigunknown", "%s/%.100s: unknown key",
				pointer, json_key(at));
	}
	return true;
}

static const struct json *
member(const struct json *object, const char *key, enum json_kind kind, const char *pointer,
	struct error *err)
{
	return json_required(object, key, kind, pointer, "sigunknown", err);
}

static const struct json *
known_object(const struct json *object, const char *key, const char *const *known,
	const char *pointer, struct error *err)
{
	const struct json *found = member(object, key, JSON_OBJECT, pointer, err);

	return found != NULL && only_known(found, pointer, known, err) ? found : NULL;
}

static bool
expect(const struct json *object, const char *key, const char *pointer, const char *expected,
	struct error *err)
{
	const struct json *found = member(object, key, JSON_STRING, pointer, err);

	if (found == NULL)
		return false;
	if (strcmp(json_string(found), expected) == 0)
		return true;
	return error_set(err, ERROR_CORRUPT, "sigunknown", "%s: expected \"%s\", found \"%.100s\"",
		pointer, expected, json_string(found));
}

static unsigned char *
decode(const struct json *string, const char *pointer, size_t *length, struct error *err)
{
	bool           no_memory;
	unsigned char *bytes = base64_read(json_string(string), length, &no_memory);

	if (bytes == NULL && no_memory)
		error_no_memory(err, strlen(json_string(string)));
	else if (bytes == NULL)
		fault(err, pointer, "is not base64");
	return bytes;
}

/* ---- the shape of a bundle -------------------------------------------------------- */

/* Pointers into the JSON tree, none of them decoded yet. */
struct bundle {
	const char        *hint;                /* NULL: none */
	const struct json *certificates;        /* NULL: signed with a bare key */
	const struct json *payload, *sig;
};

static bool
read_public_key(const struct json *material, struct bundle *bundle, struct error *err)
{
	const struct json *key = known_object(material, "publicKey", in_public_key,
		MATERIAL "/publicKey", err);
	const struct json *hint;

	if (key == NULL)
		return false;
	hint = json_member(key, "hint");
	if (hint == NULL || json_kind(hint) == JSON_NULL)
		return true;
	if ((bundle->hint = json_string(hint)) == NULL)
		return fault(err, MATERIAL "/publicKey/hint", "is of the wrong kind");
	if (bundle->hint[0] == '\0')
		bundle->hint = NULL;
	return true;
}

static bool
read_chain(const struct json *material, struct bundle *bundle, struct error *err)
{
	const struct json *chain = known_object(material, "x509CertificateChain", in_chain,
		CHAIN, err);

	if (chain == NULL || (bundle->certificates = member(chain, "certificates", JSON_ARRAY,
		CHAIN "/certificates", err)) == NULL)
		return false;
	return json_count(bundle->certificates) > 0
		|| fault(err, CHAIN "/certificates", "is empty");
}

static bool
read_material(const struct json *root, struct bundle *bundle, struct error *err)
{
	const struct json *material = known_object(root, "verificationMaterial", in_material,
		MATERIAL, err);
	const struct json *log;
	bool               has_key, has_chain;

	if (material == NULL)
		return false;
	log = json_member(material, "tlogEntries");
	if (log != NULL && json_kind(log) != JSON_ARRAY)
		return fault(err, MATERIAL "/tlogEntries", "is of the wrong kind");
	if (json_member(material, "certificate") != NULL || (log != NULL && json_count(log) > 0))
		return error_set(err, ERROR_UNSUPPORTED, "sigkeyless",
			MATERIAL ": signatures by an identity with a transparency log are not supported");
	has_key = json_member(material, "publicKey") != NULL;
	has_chain = json_member(material, "x509CertificateChain") != NULL;
	if (has_key == has_chain)
		return fault(err, MATERIAL, has_key
			? "has both publicKey and x509CertificateChain"
			: "has neither publicKey nor x509CertificateChain");
	return has_key ? read_public_key(material, bundle, err)
		: read_chain(material, bundle, err);
}

/* Of several signatures the first counts, as in the reference implementation. */
static bool
read_envelope(const struct json *root, struct bundle *bundle, struct error *err)
{
	const struct json *envelope = known_object(root, "dsseEnvelope", in_envelope, ENVELOPE,
		err);
	const struct json *list, *keyid;

	if (envelope == NULL
	    || !expect(envelope, "payloadType", ENVELOPE "/payloadType", PAYLOAD_TYPE, err)
	    || (bundle->payload = member(envelope, "payload", JSON_STRING, ENVELOPE "/payload",
		err)) == NULL
	    || (list = member(envelope, "signatures", JSON_ARRAY, ENVELOPE "/signatures",
		err)) == NULL)
		return false;
	if (json_count(list) == 0)
		return fault(err, ENVELOPE "/signatures", "is empty");
	for (const struct json *at = json_first(list); at != NULL; at = json_next(at)) {
		if (json_kind(at) != JSON_OBJECT)
			return fault(err, ENVELOPE "/signatures", "has something in it that is none");
		if (!only_known(at, ENVELOPE "/signatures/0", in_signature, err))
			return false;
		keyid = json_member(at, "keyid");
		if (keyid != NULL && json_kind(keyid) != JSON_NULL && json_kind(keyid) != JSON_STRING)
			return fault(err, ENVELOPE "/signatures/0/keyid", "is of the wrong kind");
	}
	bundle->sig = member(json_first(list), "sig", JSON_STRING, ENVELOPE "/signatures/0/sig",
		err);
	return bundle->sig != NULL;
}

static bool
read_bundle(const struct json *root, struct bundle *bundle, struct error *err)
{
	if (json_kind(root) != JSON_OBJECT)
		return fault(err, "the bundle", "is no JSON object");
	if (!expect(root, "mediaType", "/mediaType", MEDIA_TYPE, err))
		return false;
	if (json_member(root, "messageSignature") != NULL)
		return fault(err, "/messageSignature", json_member(root, "dsseEnvelope") != NULL
			? "stands beside dsseEnvelope" : "stands in the place of dsseEnvelope");
	return only_known(root, "", in_bundle, err)
		&& read_material(root, bundle, err) && read_envelope(root, bundle, err);
}

bool
signature_is_bundle(const char *bytes, size_t length)
{
	struct error       ignored = { 0 };
	struct json       *root = json_parse(bytes, length, &ignored);
	const struct json *type = root != NULL && json_kind(root) == JSON_OBJECT
		? json_member(root, "mediaType") : NULL;
	const char        *text = type != NULL ? json_string(type) : NULL;
	bool               is_bundle = text != NULL && strcmp(text, MEDIA_TYPE) == 0;

	json_free(root);
	return is_bundle;
}

/* ---- trust ------------------------------------------------------------------------ */

static bool
read_certificates(const struct json *list, struct certificate_list *chain, struct error *err)
{
	size_t index = 0;

	if (json_count(list) > CERTIFICATE_MAX)
		return error_set(err, ERROR_LIMIT, "certificates", CHAIN
			"/certificates: more than %d certificates", CERTIFICATE_MAX);
	for (const struct json *at = json_first(list); at != NULL; at = json_next(at), index++) {
		char               pointer[96];
		const struct json *raw;
		unsigned char     *der = NULL;
		size_t             length;
		bool               done;

		text_format(pointer, sizeof pointer, CHAIN "/certificates/%zu", index);
		if (json_kind(at) != JSON_OBJECT)
			return fault(err, pointer, "is of the wrong kind");
		if (!only_known(at, pointer, in_certificate, err))
			return false;
		text_format(pointer, sizeof pointer, CHAIN "/certificates/%zu/rawBytes", index);
		if ((raw = member(at, "rawBytes", JSON_STRING, pointer, err)) == NULL
		    || (der = decode(raw, pointer, &length, err)) == NULL)
			return false;
		done = certificate_add_der(chain, der, length, err)
			|| (err->kind == ERROR_CORRUPT && fault(err, pointer, "is not a DER certificate"));
		free(der);
		if (!done)
			return false;
	}
	return true;
}

/* The leaf's key, once the leaf is trusted; the caller's. */
static struct ecdsa_key *
key_of_chain(const struct json *certificates, const struct certificate_list *roots,
	struct signature *to, struct error *err)
{
	struct certificate_list *chain = certificate_list_new();
	struct ecdsa_key        *key = NULL;

	if (chain == NULL) {
		error_no_memory(err, sizeof chain);
		return NULL;
	}
	if (read_certificates(certificates, chain, err) && certificate_check(chain, roots, err))
		key = certificate_key(chain, err);
	if (key != NULL) {
		certificate_subject(chain, to->subject, sizeof to->subject);
		to->certificate_at = certificate_at(chain, time(NULL));
		to->has_certificate = true;
	}
	certificate_close(chain);
	return key;
}

static bool
check_hint(const char *hint, const char *fingerprint, struct error *err)
{
	if (hint == NULL || strcmp(hint, fingerprint) == 0)
		return true;
	return error_set(err, ERROR_MISMATCH, "sigkey", "signed by key %.64s, you gave %s", hint,
		fingerprint);
}

/* What the signature is over. */
static bool
add_pae(struct text *to, const void *payload, size_t length, struct error *err)
{
	text_add(to, "DSSEv1 %zu %s %zu ", strlen(PAYLOAD_TYPE), PAYLOAD_TYPE, length);
	text_add_bytes(to, payload, length);
	return !to->failed || error_no_memory(err, length);
}

static bool
verify_payload(const struct bundle *bundle, const struct ecdsa_key *key,
	struct signature *to, struct error *err)
{
	struct text    pae = { 0 };
	unsigned char *sig = NULL;
	size_t         sig_length;
	bool           done = false;

	if ((to->payload = decode(bundle->payload, ENVELOPE "/payload", &to->length, err)) == NULL
	    || (sig = decode(bundle->sig, ENVELOPE "/signatures/0/sig", &sig_length, err)) == NULL
	    || !add_pae(&pae, to->payload, to->length, err))
		goto out;
	done = ecdsa_verify(key, pae.bytes, pae.length, sig, sig_length, err);
	/* Not parsed, since it is nobody's word; but a reason that helps is worth a look. */
	if (!done && err->kind == ERROR_MISMATCH
	    && memmem(to->payload, to->length, OLD_TYPE, strlen(OLD_TYPE)) != NULL)
		error_set(err, ERROR_UNSUPPORTED, "sigold", "signature uses an older format, that of "
			"model-signing 0.2: sign anew");
out:
	free(sig);
	text_free(&pae);
	return done;
}

static bool
verify_bundle(const struct bundle *bundle, const struct signature_trust *trust,
	struct signature *to, struct error *err)
{
	struct ecdsa_key       *leaf_key = NULL;
	const struct ecdsa_key *key = trust->key;
	bool                    done;

	if (key == NULL && bundle->certificates == NULL) {
		error_set(err, ERROR_MISMATCH, "sigkey", "signed with a bare key, not with a "
			"certificate that the roots could vouch for");
		return error_hint(err, "give the signer's public key with --key");
	}
	if (key == NULL)
		key = leaf_key = key_of_chain(bundle->certificates, trust->roots, to, err);
	if (key == NULL)
		return false;
	memcpy(to->fingerprint, ecdsa_fingerprint(key), sizeof to->fingerprint);
	to->has_hint = bundle->hint != NULL || bundle->certificates != NULL;
	done = check_hint(bundle->hint, to->fingerprint, err)
		&& verify_payload(bundle, key, to, err);
	ecdsa_close(leaf_key);
	return done;
}

bool
signature_verify(const char *bytes, size_t length, const struct signature_trust *trust,
	struct signature *to, struct error *err)
{
	struct json  *root = json_parse(bytes, length, err);
	struct bundle bundle = { .hint = NULL };
	bool          done;

	*to = (struct signature){ .length = 0 };
	if (root == NULL)
		return false;
	done = read_bundle(root, &bundle, err) && verify_bundle(&bundle, trust, to, err);
	json_free(root);
	/* What is not verified is not given away. */
	if (!done)
		signature_fini(to);
	return done;
}

void
signature_fini(struct signature *signature)
{
	free(signature->payload);
	*signature = (struct signature){ .length = 0 };
}

/* ---- writing ---------------------------------------------------------------------- */

static void
write_base64(struct json_writer *w, const char *key, const void *bytes, size_t length)
{
	struct text digits = { 0 };

	json_write_key(w, key);
	base64_write(&digits, bytes, length);
	json_write_string(w, digits.bytes != NULL ? digits.bytes : "");
	w->to->failed = w->to->failed || digits.failed;
	text_free(&digits);
}

static bool
write_chain(struct json_writer *w, const struct certificate_list *chain, struct error *err)
{
	json_open_member(w, "x509CertificateChain", '{');
	json_open_member(w, "certificates", '[');
	for (size_t i = 0; i < certificate_count(chain); i++) {
		struct text der = { 0 };
		bool        done = certificate_der(chain, i, &der, err);

		if (done) {
			json_open(w, '{');
			write_base64(w, "rawBytes", der.bytes, der.length);
			json_close(w, '}');
		}
		text_free(&der);
		if (!done)
			return false;
	}
	json_close(w, ']');
	json_close(w, '}');
	return true;
}

static void
write_envelope(struct json_writer *w, const char *payload, size_t length,
	const struct text *sig)
{
	json_open_member(w, "dsseEnvelope", '{');
	write_base64(w, "payload", payload, length);
	json_add_string(w, "payloadType", PAYLOAD_TYPE);
	json_open_member(w, "signatures", '[');
	json_open(w, '{');
	write_base64(w, "sig", sig->bytes, sig->length);
	json_add_string(w, "keyid", "");
	json_close(w, '}');
	json_close(w, ']');
	json_close(w, '}');
}

bool
signature_write(const char *payload, size_t length, const struct ecdsa_key *key,
	const struct certificate_list *chain, struct text *to, struct error *err)
{
	struct json_writer w = { .to = to };
	struct text        pae = { 0 }, sig = { 0 };
	bool               done = false;

	if (!add_pae(&pae, payload, length, err)
	    || !ecdsa_sign(key, pae.bytes, pae.length, &sig, err))
		goto out;
	json_open(&w, '{');
	json_add_string(&w, "mediaType", MEDIA_TYPE);
	json_open_member(&w, "verificationMaterial", '{');
	if (chain != NULL) {
		if (!write_chain(&w, chain, err))
			goto out;
	} else {
		json_open_member(&w, "publicKey", '{');
		json_add_string(&w, "hint", ecdsa_fingerprint(key));
		json_close(&w, '}');
	}
	json_open_member(&w, "tlogEntries", '[');
	json_close(&w, ']');
	json_close(&w, '}');
	write_envelope(&w, payload, length, &sig);
	json_close(&w, '}');
	text_add(to, "\n");
	done = !to->failed || error_no_memory(err, length);
out:
	text_free(&sig);
	text_free(&pae);
	return done;
}
