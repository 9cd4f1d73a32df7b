#include "cli/report_rules.h"

#include "megatron2hf.h"

#include <stddef.h>
#include <string.h>

struct rule {
	const char *slug, *text;
};

/* Of all that a check of a directory can find: its own findings, and those about torch files
 * and the archives and pickles in them.  tests/house.sh compares the list with the source. */
static const struct rule rules[] = {
	/* the directory */
	{ "changing",       "A file changed while it was being read." },
	{ "eio",            "The system failed to read or write a file." },
	{ "manifest",       "conversion.json and the files of the directory do not agree." },
	{ "files",           "There are too many files." },
	{ "size",            "A file is too large for what is read of it." },
	{ "nodir",          "The directory cannot be opened." },
	{ "noinput",        "A file cannot be opened." },
	{ "notreg",         "A file is not a regular file." },
	{ "oom",            "There was not enough memory." },
	{ "sumsbad",        "SHA256SUMS holds no checksum." },
	{ "sumsextra",      "A file is not listed in SHA256SUMS." },
	{ "sumsmiss",       "A file that SHA256SUMS lists is missing." },
	{ "sumspath",       "A name or a link leads out of the directory." },
	{ "sumsself",       "SHA256SUMS lists itself." },
	{ "vlarge",         "A file is too large for what its name says it is." },
	{ "vmany",          "The directory holds too many files or too deep folders." },
	{ "vmissing",       "A file is missing." },
	{ "vperm",          "A folder of the directory cannot be read." },
	{ "vsums",          "The SHA-256 of a file is not that of SHA256SUMS." },
	/* what is said beside the problems */
	{ "config-doubtful", "A value of config.json is not the expected one, and the checkpoint does not tell." },
	{ "heads-from-config", "The number of attention heads was taken from config.json." },
	{ "padding-kept",    "Padding rows of the embedding are kept." },
	{ "within-tolerance", "Elements differ, within the tolerance." },
	{ "no-sums",        "There is no SHA256SUMS." },
	{ "safetensors-format", "A safetensors file does not say that it is PyTorch's." },
	{ "sums-malformed", "Lines of SHA256SUMS are malformed." },
	{ "too-many-problems", "There were more problems than are listed." },
	{ "weights-in-two-forms", "The weights are there in two forms." },
	{ "weights-twice",  "The weights are there whole and in pieces." },
	/* configuration and tokenizer */
	{ "confjson",       "config.json is not a valid GPT-2 configuration." },
	{ "eot",            "The vocabulary has no end-of-text token." },
	{ "headsdiv",       "The width is not divisible by the number of heads." },
	{ "json",           "A file is not strict JSON." },
	{ "jsonvalues",     "A JSON file holds too many values." },
	{ "mergesbad",      "The merge list of the tokenizer is damaged." },
	{ "tokhalf",        "The tokenizer has only one of its two files." },
	{ "tokutf8",        "A file of the tokenizer is not UTF-8 text." },
	{ "vconfig",        "config.json and the tensors do not agree." },
	{ "vocabdup",       "Two tokens of the vocabulary share an id or a text." },
	{ "vocabgap",       "An id of the vocabulary is missing." },
	{ "vocabsize",      "The number of tokens is not the vocabulary size." },
	{ "vtok",           "The files of the tokenizer do not agree." },
	/* signature */
	{ "certificates",    "The certificates of a signature are not valid." },
	{ "pemlarge",        "A file of keys or certificates is too large." },
	{ "sigcert-expired", "The signer's certificate has expired since." },
	{ "sigfiles",        "The files are not those that were signed." },
	{ "sigkey",          "The signature is by another key, or by none that can be trusted." },
	{ "sigkeyless",      "A keyless signature is not supported." },
	{ "siglarge",        "The signature is too large." },
	{ "signdir",         "Something in the directory cannot be signed." },
	{ "signed",          "Who signed the directory." },
	{ "signpath",        "A key or signature cannot be read or written." },
	{ "sigold",          "The signature is of an older format." },
	{ "sigpred",         "What was signed is not a model, or not one that is understood." },
	{ "sigshards",       "Signatures over shards are not supported." },
	{ "sigstatement",    "What was signed is not well formed." },
	{ "sigunknown",      "The signature is not well formed." },
	/* weights */
	{ "deflated",        "A record with weights is compressed." },
	{ "nametwice",       "A tensor is in two files." },
	{ "noweights",       "There are no weights." },
	{ "ptsize",          "The tensors are too large for a torch file." },
	{ "dupshard",        "A file of the checkpoint is a copy in the place of another." },
	{ "replicated",      "Copies of a parameter in the checkpoint differ." },
	{ "shards",          "There are too many weight files." },
	{ "vdouble",         "The weights in two forms are not the same." },
	{ "vsource",         "A file or tensor is not what the checkpoint makes it." },
	{ "vturned",         "A projection is not transposed." },
	{ "vvalue",          "Elements of a tensor differ from the checkpoint." },
	{ "stsize",         "The tensors are too large for a file." },
	{ "vindex",         "The index and the weight files do not agree." },
	{ "vst8",           "The length of a safetensors header is wrong." },
	{ "vstjson",        "A safetensors header is not valid." },
	{ "vstmany",        "A safetensors header is too large." },
	{ "vstov",          "The tensors of a safetensors file overlap or leave gaps." },
	{ "vstshape",       "Shape, type and length of a tensor do not agree." },
	{ "vtensor",        "A tensor is missing, extra, or of another shape or type." },
	{ "vtorch",         "A file is not the torch file that its name says." },
	/* what a torch file turned out to be */
	{ "apierr",         "A file holds an error message of a server." },
	{ "crlf",           "A file was changed by a text-mode transfer." },
	{ "directory",      "An archive entry is a folder where a file was expected." },
	{ "distckpt",       "A checkpoint has a distributed format." },
	{ "empty",          "A file is empty." },
	{ "html",           "A file is a web page." },
	{ "image",          "A file is not a torch file." },
	{ "lfs",            "A file is a git-lfs pointer, not the file itself." },
	{ "nesting",        "A zip holds another checkpoint." },
	{ "noroot",         "A zip was not written by torch.save." },
	{ "otherformat",    "A file has another format than its name says." },
	{ "outerzip",       "A zip holds no checkpoint file." },
	{ "pytorch1",       "A file has the format of a preview of PyTorch 1.0." },
	{ "tiny",           "A file is too short." },
	{ "torchscript",    "A file is a TorchScript archive, which holds code." },
	{ "torchtar",       "A file has the tar format of PyTorch 0.1." },
	{ "wrapped",        "A file is compressed or wrapped as a whole." },
	{ "zeros",          "A file consists of zeros." },
	/* zip archives */
	{ "badname",        "A record of an archive has an unsafe name." },
	{ "bitflip",        "The CRC-32 of a record is wrong: its bytes are damaged." },
	{ "casedup",        "Two records differ only in case." },
	{ "cdbad",          "The directory of an archive is damaged." },
	{ "comment",        "An archive has a comment that can mislead readers." },
	{ "concat",         "Two archives are joined in one file." },
	{ "countbad",       "An archive has another number of records than it says." },
	{ "dd",             "The data descriptor of a record is wrong." },
	{ "deflbad",        "Compressed data is damaged." },
	{ "defllong",       "Compressed data expands beyond its declared length." },
	{ "deflshort",      "Compressed data ends too early." },
	{ "dup",            "A record appears twice." },
	{ "encflag",        "A record is encrypted." },
	{ "flags",          "A record uses a zip feature that is not supported." },
	{ "gapcd",          "Bytes of an archive belong to no record." },
	{ "lh",             "A local header disagrees with the directory of the archive." },
	{ "libzip",         "libzip reads the archive otherwise." },
	{ "manynames",      "An archive has too many records." },
	{ "method",         "A record has a compression method that is not supported." },
	{ "multidisk",      "An archive is split into volumes." },
	{ "pasteof",        "A record reaches beyond the end of the file." },
	{ "prefix",         "There are bytes before the first record." },
	{ "quoted",         "Records of an archive overlap." },
	{ "recordsize",     "A record is too large." },
	{ "spool",          "Standard input could not be stored." },
	{ "storedsize",     "A stored record has two different lengths." },
	{ "symlinkentry",   "An archive holds a link or a device." },
	{ "trailing",       "There are bytes after the end of an archive." },
	{ "truncated",      "A file is truncated." },
	{ "walk",           "An archive cannot be read from front to back." },
	{ "zerotail",       "The end of an archive is missing." },
	{ "zip64disagree",  "The two end records of an archive disagree." },
	{ "zip64elsewhere", "The zip64 end record is not where it must be." },
	{ "zip64extra",     "A zip64 field is damaged." },
	/* pickles */
	{ "build",          "A pickle sets the state of something that has none." },
	{ "deeplist",       "A pickle is nested too deeply." },
	{ "deepmark",       "A pickle is nested too deeply." },
	{ "dotted",         "A pickle holds a malformed global name." },
	{ "floats",         "A pickle holds a malformed number." },
	{ "frame",          "A frame of a pickle is damaged." },
	{ "hash",           "A dictionary of a pickle has an impossible or repeated key." },
	{ "hugelen",        "A pickle holds an impossible length." },
	{ "hugepkl",        "A pickle is too long." },
	{ "longint",        "A pickle holds a malformed or too large integer." },
	{ "memo",           "A pickle uses a memo entry that is not there, or too many." },
	{ "nomark",         "A pickle lacks a mark." },
	{ "nostop",         "A pickle does not end as it must." },
	{ "opcode",         "A pickle holds an unknown opcode." },
	{ "opcount",        "A pickle has too many operations." },
	{ "os",             "A pickle names code that must not run." },
	{ "persidtext",     "A persistent id of a pickle is malformed." },
	{ "proto",          "A pickle protocol is not supported." },
	{ "reduce",         "A pickle calls something that cannot be called." },
	{ "setitem",        "A pickle holds a dictionary that is not made of pairs." },
	{ "stackglobal",    "A pickle holds a global name that is not text." },
	{ "strings",        "A pickle holds a malformed or too long string." },
	{ "truncop",        "A pickle is truncated." },
	{ "underflow",      "A pickle takes more from its stack than there is." },
	/* torch files */
	{ "byteorder",      "A torch file was written in another byte order." },
	{ "dims",           "The dimensions of a tensor are wrong or too many." },
	{ "dtype",          "A type of numbers is not supported." },
	{ "extent",         "A tensor reaches beyond its storage." },
	{ "foreignweight",  "Something else stands where a tensor was expected." },
	{ "hole",           "A stretch of a storage was never written: it is zero." },
	{ "legacyhdr",      "The header of a storage disagrees with the pickle." },
	{ "legacylist",     "The list of storages disagrees with the pickle." },
	{ "legacymagic",    "A pickle stands in the place of a torch file's magic number." },
	{ "legacyproto",    "The version of a torch file is wrong or not supported." },
	{ "legacyviews",    "A view of a storage is malformed." },
	{ "missingrec",     "A record that the pickle needs is missing." },
	{ "overflow",       "A size overflows." },
	{ "pathlength",     "The path to a tensor is too long." },
	{ "pid",            "The description of a storage is malformed." },
	{ "rebuildargs",    "The description of a tensor is malformed." },
	{ "rebuildother",   "A kind of tensor is not supported." },
	{ "recsize",        "The length of a storage disagrees with the pickle." },
	{ "storagetwice",   "A storage is described in two ways." },
	{ "stride",         "The strides of a tensor are wrong or not supported." },
	{ "version",        "The version record of a torch file is missing or wrong." },
};

const char *
report_rules_text(const char *slug, int status)
{
	for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++)
		if (strcmp(rules[i].slug, slug) == 0)
			return rules[i].text;
	switch (status) {
	case M2H_MISMATCH: return "A check said no.";
	case M2H_CORRUPT: return "A file is damaged, truncated or inconsistent.";
	case M2H_UNSUPPORTED: return "A file holds something that is not supported.";
	case M2H_UNSAFE: return "A file tries something hostile.";
	case M2H_NO_INPUT: return "A file is missing or cannot be read.";
	case M2H_NO_OUTPUT: return "A file cannot be written.";
	case M2H_LIMIT: return "Memory or a limit is exhausted.";
	case M2H_INTERNAL: return "A check of megatron2hf on itself failed.";
	default: return "Something was found.";
	}
}
