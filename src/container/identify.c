#include "container/identify.h"

#include "base/checked.h"
#include "base/text.h"
#include "container/zip_end.h"

#include <inttypes.h>
#include <string.h>

/* What is looked at: enough for the name field and the magic of a tar header. */
#define HEAD_BYTES 512
/* A zip end record alone has 22 bytes; no checkpoint is shorter. */
#define SHORTEST   22

struct head {
	unsigned char bytes[HEAD_BYTES + 1];    /* and a NUL */
	size_t        count;
	uint64_t      length;                   /* of the whole stream */
};

/* ---- by magic bytes --------------------------------------------------------------- */

/* The first pickle of torch.save before 1.6: the number 0x1950a86a20f9469cfc6c. */
#define TORCH_NUMBER "\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19"

enum verdict {
	IS_ZIP, IS_LEGACY, IS_EMPTY_ZIP, IS_SPLIT_ZIP, IS_OLD_TAR, IS_PREVIEW, IS_TEXT_MODE,
	IS_WRAPPED, IS_OTHER,
};

struct magic {
	enum verdict verdict;
	const char  *bytes;
	size_t       count, offset;
	const char  *what, *command;    /* that unpacks it */
};

#define AT(offset, bytes) bytes, sizeof(bytes) - 1, offset
#define START(bytes) AT(0, bytes)

static const struct magic magics[] = {
	{ IS_ZIP,       START("PK\3\4"), NULL, NULL },
	{ IS_EMPTY_ZIP, START("PK\5\6"), NULL, NULL },
	{ IS_SPLIT_ZIP, START("PK\7\10"), NULL, NULL },
	/* PROTO n, [FRAME of 13 bytes,] LONG1 of 10 bytes, STOP; protocols 0 and 1 as text. */
	{ IS_LEGACY,    START("\x80\2\x8a\n" TORCH_NUMBER "."), NULL, NULL },
	{ IS_LEGACY,    START("\x80\3\x8a\n" TORCH_NUMBER "."), NULL, NULL },
	{ IS_LEGACY,    START("\x80\4\x95\r\0\0\0\0\0\0\0\x8a\n" TORCH_NUMBER "."), NULL, NULL },
	{ IS_LEGACY,    START("\x80\5\x95\r\0\0\0\0\0\0\0\x8a\n" TORCH_NUMBER "."), NULL, NULL },
	{ IS_LEGACY,    START("L119547037146038801333356L\n."), NULL, NULL },
	/* The same with CR LF for LF: the length in LONG1 is such a byte. */
	{ IS_TEXT_MODE, START("\x80\2\x8a\r\n" TORCH_NUMBER "."), NULL, NULL },
	{ IS_TEXT_MODE, START("\x80\3\x8a\r\n" TORCH_NUMBER "."), NULL, NULL },
	/* torch before 0.1.10: a tar that begins with any of its members. */
	{ IS_OLD_TAR,   START("storages\0"), NULL, NULL },
	{ IS_OLD_TAR,   START("tensors\0"), NULL, NULL },
	{ IS_OLD_TAR,   START("pickle\0"), NULL, NULL },
	{ IS_OLD_TAR,   START("sys_info\0"), NULL, NULL },
	{ IS_PREVIEW,   START("PYTORCH1"), NULL, NULL },
	{ IS_WRAPPED,   START("\x1f\x8b"), "gzip-compressed file", "gzip -d" },
	{ IS_WRAPPED,   START("BZh"), "bzip2-compressed file", "bzip2 -d" },
	{ IS_WRAPPED,   START("\xfd" "7zXZ\0"), "xz-compressed file", "xz -d" },
	{ IS_WRAPPED,   START("\x28\xb5\x2f\xfd"), "zstd-compressed file", "zstd -d" },
	{ IS_WRAPPED,   START("\x04\x22\x4d\x18"), "lz4-compressed file", "lz4 -d" },
	{ IS_WRAPPED,   START("7z\xbc\xaf\x27\x1c"), "7z archive", "7z x" },
	{ IS_WRAPPED,   START("Rar!"), "rar archive", "unrar x" },
	{ IS_WRAPPED,   AT(257, "ustar"), "tar archive", "tar xf" },
	{ IS_OTHER,     START("\x89HDF\r\n\x1a\n"), "HDF5 file", NULL },
	{ IS_OTHER,     START("\x93NUMPY"), "NumPy array file", NULL },
	{ IS_OTHER,     START("GGUF"), "GGUF file", NULL },
	{ IS_OTHER,     START("lmgg"), "GGML file", NULL },
	{ IS_OTHER,     START("\x08\x01\x12"), "probably a TensorFlow saved model", NULL },
};

static bool
matches(const struct magic *magic, const struct head *head)
{
	return head->count >= magic->offset + magic->count
		&& memcmp(head->bytes + magic->offset, magic->bytes, magic->count) == 0;
}

static const struct magic *
find_magic(const struct head *head)
{
	for (size_t i = 0; i < sizeof magics / sizeof *magics; i++) {
		if (matches(&magics[i], head))
			return &magics[i];
	}
	return NULL;
}

static bool
fail_other(const char *what, struct error *err)
{
	return error_set(err, ERROR_UNSUPPORTED, "otherformat",
		"%s; a checkpoint that torch.save wrote is expected", what);
}

static bool
refuse_by_magic(const struct magic *magic, const char *file, struct error *err)
{
	char name[160];

	switch (magic->verdict) {
	case IS_EMPTY_ZIP:
		return error_set(err, ERROR_UNSUPPORTED, "noroot", "an empty zip archive");
	case IS_SPLIT_ZIP:
		return error_set(err, ERROR_UNSUPPORTED, "multidisk",
			"multi-volume zip archives are not supported");
	case IS_OLD_TAR:
		return error_set(err, ERROR_UNSUPPORTED, "torchtar",
			"torch 0.1 tar archive is not supported; re-save it with torch >= 1.6");
	case IS_PREVIEW:
		return error_set(err, ERROR_UNSUPPORTED, "pytorch1",
			"preview-release archive of 2018; no PyTorch release reads it");
	case IS_TEXT_MODE:
		error_set(err, ERROR_CORRUPT, "crlf", "file was changed by a text-mode transfer");
		return error_hint(err, "fetch it again in binary mode");
	case IS_WRAPPED:
		if (text_has_suffix(file, ".nemo"))
			return error_set(err, ERROR_UNSUPPORTED, "wrapped",
				"a NeMo archive, which is not supported");
		return error_set(err, ERROR_UNSUPPORTED, "wrapped",
			"%s; unpack it first: %s %s", magic->what, magic->command,
			text_base_name(name, sizeof name, file));
	default:
		return fail_other(magic->what, err);
	}
}

/* ---- by looking closer ------------------------------------------------------------ */

static size_t
skip_blanks(const struct head *head, size_t at)
{
	while (at < head->count && (head->bytes[at] == ' ' || head->bytes[at] == '\t'
	    || head->bytes[at] == '\r' || head->bytes[at] == '\n'))
		at++;
	return at;
}

/* u64 length of a JSON header, then the header. */
static bool
is_safetensors(const struct head *head)
{
	uint64_t header_length;

	if (head->count < 10)
		return false;
	header_length = checked_u64(head->bytes);
	return header_length >= 2 && header_length <= 100000000
		&& header_length <= head->length - 8
		&& head->bytes[skip_blanks(head, 8)] == '{';
}

static bool
is_zeros(const struct head *head)
{
	for (size_t i = 0; i < head->count; i++) {
		if (head->bytes[i] != 0)
			return false;
	}
	return true;
}

static bool
is_text(const struct head *head)
{
	for (size_t i = 0; i < head->count; i++) {
		unsigned char c = head->bytes[i];

		/* Error pages may be coloured, hence ESC. */
		if ((c < 0x20 && strchr("\t\r\n\f\x1b", c) == NULL) || c == 0x7f || c == 0)
			return false;
	}
	return true;
}

/* Its length up to `most`, without blanks at the end. */
static int
shown_length(const char *text, size_t most)
{
	size_t length = strnlen(text, most);

	while (length > 0 && strchr(" \t\r\n", text[length - 1]) != NULL)
		length--;
	return (int)length;
}

static bool
fail_text(const struct head *head, struct error *err)
{
	const char *text = (const char *)head->bytes;
	size_t      bom = strncmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;

	text += skip_blanks(head, bom);
	if (*text == '<' && (strcasestr(text, "<html") != NULL
	    || strcasestr(text, "<!doctype html") != NULL)) {
		error_set(err, ERROR_CORRUPT, "html",
			"looks like an HTML page, not a checkpoint: %.*s", shown_length(text, 60), text);
		return error_hint(err, "the link gave a log-in or error page; fetch the file again");
	}
	error_set(err, ERROR_CORRUPT, "apierr", "%s text, not a checkpoint; looks like an "
		"error message from a server: %.*s", *text == '<' ? "XML" : "JSON",
		shown_length(text, 200), text);
	return error_hint(err, "if it was downloaded, the download was refused: fetch it again");
}

static bool
starts_like_markup(const struct head *head)
{
	size_t at = skip_blanks(head, memcmp(head->bytes, "\xef\xbb\xbf", 3) == 0 ? 3 : 0);

	return head->bytes[at] == '<' || head->bytes[at] == '{' || head->bytes[at] == '[';
}

/* Three lines: version, "oid sha256:HEX", "size N". */
static bool
fail_pointer(const struct head *head, struct error *err)
{
	const char *text = (const char *)head->bytes;
	const char *oid = strstr(text, "\noid sha256:"), *size = strstr(text, "\nsize ");

	oid = oid != NULL ? oid + strlen("\noid sha256:") : "unknown";
	size = size != NULL ? size + strlen("\nsize ") : "unknown";
	error_set(err, ERROR_CORRUPT, "lfs",
		"git-lfs pointer, not the file itself (real size %.*s bytes, sha256 %.*s)",
		(int)strcspn(size, "\r\n"), size, (int)strcspn(oid, "\r\n"), oid);
	return error_hint(err, "run: git lfs pull");
}

/* A pickle that is not torch's.  One that begins by importing something of these modules
 * may make the magic number by running code. */
static bool
fail_pickle(const struct head *head, struct error *err)
{
	static const char *const modules[] = {
		"builtins\n", "__builtin__\n", "os\n", "posix\n", "nt\n", "subprocess\n", "sys\n",
	};
	const unsigned char *at = head->bytes + 2;

	if (*at == 0x95)                                /* FRAME, u64 */
		at += 9;
	for (size_t i = 0; *at == 'c' && i < sizeof modules / sizeof *modules; i++) {
		if (strncmp((const char *)at + 1, modules[i], strlen(modules[i])) == 0)
			return error_set(err, ERROR_UNSAFE, "legacymagic",
				"first object is not the torch magic number: it imports %.*s",
				(int)strlen(modules[i]) - 1, modules[i]);
	}
	return error_set(err, ERROR_UNSUPPORTED, "otherformat",
		"a Python pickle that torch.save did not write (wrong magic number)");
}

/* Flax: a map with few entries and a first key in letters. */
static bool
is_message_pack(const struct head *head)
{
	const unsigned char *at = head->bytes;

	return at[0] >= 0x81 && at[0] <= 0x8f
		&& ((at[1] >= 0xa1 && at[1] <= 0xbf && at[2] >= 'A' && at[2] <= 'z')
		|| (at[1] == 0xd9 && at[3] >= 'A' && at[3] <= 'z'));
}

/* Protocol buffer: ir_version 3 and up, then producer_name. */
static bool
is_onnx(const struct head *head)
{
	const unsigned char *at = head->bytes;

	return at[0] == 8 && at[1] >= 2 && at[1] < 0x20 && at[2] == 0x12
		&& at[4] >= 'A' && at[4] <= 'z';
}

static bool
fail_unknown(const struct head *head, struct error *err)
{
	char   hex[3 * 16 + 1] = "";
	size_t shown = head->count < 16 ? head->count : 16;

	for (size_t i = 0; i < shown; i++) {
		static const char digits[] = "0123456789abcdef";

		hex[3 * i] = digits[head->bytes[i] >> 4];
		hex[3 * i + 1] = digits[head->bytes[i] & 15];
		hex[3 * i + 2] = i + 1 < shown ? ' ' : '\0';
	}
	return error_set(err, ERROR_CORRUPT, "image",
		"not a PyTorch checkpoint (starts with %s)", hex);
}

/* Nothing of the table fits; what is asked last has SHORTEST bytes at least.  false: *err is set. */
static bool
refuse_by_content(const struct head *head, struct error *err)
{
	if (strncmp((const char *)head->bytes, "version https://git-lfs", 23) == 0)
		return fail_pointer(head, err);
	if (starts_like_markup(head) && is_text(head))
		return fail_text(head, err);
	if (head->length < SHORTEST)
		return error_set(err, ERROR_CORRUPT, "tiny",
			"too short to be a checkpoint (%" PRIu64 " bytes)", head->length);
	if (is_zeros(head)) {
		error_set(err, ERROR_CORRUPT, "zeros",
			"all %zu bytes examined are zero; the download never completed",
			head->count);
		return error_hint(err, "fetch the file again");
	}
	if (head->bytes[0] == 0x80 && head->bytes[1] >= 1 && head->bytes[1] <= 5)
		return fail_pickle(head, err);
	if (is_message_pack(head))
		return fail_other("probably a Flax checkpoint (MessagePack)", err);
	if (is_onnx(head))
		return fail_other("probably an ONNX model", err);
	return fail_unknown(head, err);
}

static bool
read_head(struct byte_stream *stream, struct head *head, struct error *err)
{
	memset(head, 0, sizeof *head);
	head->length = byte_stream_length(stream);
	head->count = head->length < HEAD_BYTES ? (size_t)head->length : HEAD_BYTES;
	return byte_stream_seek(stream, 0, err)
		&& byte_stream_read(stream, head->bytes, head->count, err)
		&& byte_stream_seek(stream, 0, err);
}

static enum identity
identify_head(struct byte_stream *stream, const struct head *head, struct error *err)
{
	const struct magic *magic = find_magic(head);
	struct error        unread = { 0 };
	bool                ends_like_zip = false;

	if (head->length == 0) {
		error_set(err, ERROR_CORRUPT, "empty", "file is empty (0 bytes)");
		error_hint(err, "the download did not start");
		return IDENTITY_REFUSED;
	}
	/* First of all: the length of its header may begin like any magic. */
	if (is_safetensors(head))
		return IDENTITY_SAFETENSORS;
	if (magic != NULL && magic->verdict > IS_LEGACY) {
		refuse_by_magic(magic, byte_stream_file(stream)->name, err);
		return IDENTITY_REFUSED;
	}
	if (magic != NULL && head->length >= SHORTEST)
		return magic->verdict == IS_ZIP ? IDENTITY_ZIP : IDENTITY_TORCH_LEGACY;
	refuse_by_content(head, err);
	/* Bytes before an archive: its reader says so better than "starts with ...".  Not looked
	 * for where that would mean to inflate everything. */
	if (strcmp(err->slug, "image") == 0 && !byte_stream_is_deflated(stream)) {
		if (!zip_end_is_there(stream, &unread, &ends_like_zip) || ends_like_zip)
			*err = unread;
	}
	return ends_like_zip ? IDENTITY_ZIP : IDENTITY_REFUSED;
}

enum identity
identify_stream(struct byte_stream *stream, struct error *err)
{
	struct head   head;
	enum identity identity = IDENTITY_REFUSED;

	if (read_head(stream, &head, err))
		identity = identify_head(stream, &head, err);
	if (identity == IDENTITY_REFUSED)
		error_in_file(err, byte_stream_file(stream)->name);
	else if (!byte_stream_seek(stream, 0, err))
		return IDENTITY_REFUSED;
	return identity;
}
