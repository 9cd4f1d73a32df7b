#include "check/signature.h"

#include "base/base64.h"
#include "check/pem_file.h"
#include "check/statement.h"

#include "check.h"
#include "scratch_folder.h"

/* ---- base64 ----------------------------------------------------------------------- */

static void
test_base64(void)
{
	/* The vectors of RFC 4648 section 10, and what is not strict. */
	static const struct { const char *bytes, *text; } vectors[] = {
		{ "", "" }, { "f", "Zg==" }, { "fo", "Zm8=" }, { "foo", "Zm9v" }, { "foob", "Zm9vYg==" },
		{ "fooba", "Zm9vYmE=" }, { "foobar", "Zm9vYmFy" }, { "\xfb\xff\xbf", "+/+/" },
	};
	static const char *const faults[] = {
		"Z", "Zg", "Zg=", "Zg===", "=", "====", "Z===", "Zh==", "Zm9=", "Zg==Zg==", "Zm9v====",
		"Zm 9v", "Zm-v", "Zm_v", "Z=g=", "=Zg=", "Zm9v\v",
	};
	size_t length = 0;
	bool   no_memory = true;

	for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
		struct text    text = { 0 };
		unsigned char *bytes = base64_read(vectors[i].text, &length, &no_memory);

		CHECK(bytes != NULL && length == strlen(vectors[i].bytes)
			&& memcmp(bytes, vectors[i].bytes, length) == 0, "%s", vectors[i].text);
		base64_write(&text, vectors[i].bytes, strlen(vectors[i].bytes));
		CHECK_TEXT(text.bytes != NULL ? text.bytes : "", vectors[i].text, "written");
		text_free(&text);
		free(bytes);
	}
	for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
		CHECK(base64_read(faults[i], &length, &no_memory) == NULL && !no_memory, "%s",
			faults[i]);
	free(base64_read("\nZm\r\n9v\n", &length, &no_memory));
	CHECK(length == 3, "line ends: %zu bytes", length);
}

/* ---- statements ------------------------------------------------------------------- */

static void
test_ignored(void)
{
	static const char *const ignored[] = { ".git", "a/b", "", "." };
	static const struct statement statement = { .ignored = ignored, .ignored_count = 4 };
	static const struct { const char *name; bool is_ignored; } rows[] = {
		{ ".git", true }, { ".git/config", true }, { ".gitignore", false },
		{ "sub/.git", false }, { "a", false }, { "a/b", true }, { "a/b/c", true },
		{ "a/bc", false }, { "x", false }, { "./x", true },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		CHECK(statement_ignores(&statement, rows[i].name) == rows[i].is_ignored, "%s",
			rows[i].name);
}

/* The root digest was computed by hand: printf of the raw digests, piped to sha256sum. */
static void
test_root(void)
{
	static const struct statement_file files[] = {
		{ "a", "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb" },
		{ "b", "3e23e8160039594a33894f6564e1b1348bbd7a0088d42c4acb73eeaed59c009d" },
	};
	struct statement statement = { .files = files, .count = 2 };
	struct error     err = { 0 };

	CHECK(statement_seal(&statement, &err), "%s", err.text);
	CHECK_TEXT(statement.root,
		"e5a01fee14e0ed5c48714f22180f25ad8365b53f9779f79dc4a3d7e93963f94a", "root");
}

/* ---- bundles ---------------------------------------------------------------------- */

/* The openssl command makes the key. */
static struct ecdsa_key *
make_key(void)
{
	char              command[256];
	struct pem_file   file = { .bytes = NULL };
	struct error      err = { 0 };
	struct ecdsa_key *key = NULL;

	snprintf(command, sizeof command,
		"openssl ecparam -name prime256v1 -genkey -noout -out %s/key.pem", scratch);
	if (system(command) != 0 || !pem_file_read(scratch_path("key.pem"), &file, &err)
	    || (key = ecdsa_read_private(file.bytes, file.length, NULL, NULL, &err)) == NULL)
		printf("no key: %s\n", err.text);
	pem_file_close(&file);
	return key;
}

/* A bundle with any one bit flipped is refused, with a reason and without a payload. */
static void
test_bits(const struct ecdsa_key *key)
{
	static const char      payload[] = "{\"what\": \"is signed\"}";
	struct signature_trust trust = { .key = key };
	struct signature       signature;
	struct text            bundle = { 0 };
	struct error           err = { 0 };
	size_t                 accepted = 0;

	CHECK(signature_write(payload, strlen(payload), key, NULL, &bundle, &err), "%s", err.text);
	CHECK(signature_verify(bundle.bytes, bundle.length, &trust, &signature, &err)
		&& signature.length == strlen(payload)
		&& memcmp(signature.payload, payload, signature.length) == 0
		&& signature.has_hint && !signature.has_certificate, "%s", err.text);
	signature_fini(&signature);
	for (size_t bit = 0; bit < 8 * bundle.length; bit++) {
		bundle.bytes[bit / 8] = (char)(bundle.bytes[bit / 8] ^ 1 << bit % 8);
		err = (struct error){ 0 };
		if (signature_verify(bundle.bytes, bundle.length, &trust, &signature, &err)
		    || err.kind == ERROR_NONE || signature.payload != NULL) {
			printf("bit %zu of byte %zu\n", bit % 8, bit / 8);
			accepted++;
		}
		signature_fini(&signature);
		bundle.bytes[bit / 8] = (char)(bundle.bytes[bit / 8] ^ 1 << bit % 8);
	}
	CHECK(accepted == 0, "%zu of %zu", accepted, 8 * bundle.length);
	for (size_t length = 0; length + 1 < bundle.length; length++) {
		if (signature_verify(bundle.bytes, length, &trust, &signature, &err))
			accepted++;
		signature_fini(&signature);
	}
	CHECK(accepted == 0, "%zu of its beginnings", accepted);
	text_free(&bundle);
}

int
main(void)
{
	struct ecdsa_key *key;

	scratch_open();
	test_base64();
	test_ignored();
	test_root();
	if ((key = make_key()) != NULL)
		test_bits(key);
	CHECK(key != NULL, "the openssl command is needed");
	ecdsa_close(key);
	scratch_close();
	return check_end("signature");
}
