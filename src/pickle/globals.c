#include "pickle/globals.h"

#include "base/text.h"

#include <stdio.h>
#include <string.h>

struct dangerous_path {
	const char *path;               /* and all that is below it */
	bool        anywhere;           /* too telling to be a harmless component of a name */
};

static const struct dangerous_path paths[] = {
	/* the system, processes, files */
	{ "os", true },                         { "posix", true },
	{ "nt", false },                        { "sys", true },
	{ "subprocess", true },                 { "_posixsubprocess", true },
	{ "commands", false },                  { "popen2", false },
	{ "pty", true },                        { "shutil", true },
	{ "tempfile", true },                   { "fileinput", true },
	{ "linecache", true },                  { "mmap", false },
	{ "fcntl", true },                      { "resource", false },
	{ "_winapi", true },                    { "_winreg", true },
	{ "winreg", true },                     { "msvcrt", true },
	{ "platform.popen", false },            { "platform._syscmd_ver", false },
	{ "uuid._popen", false },               { "uuid._get_command_stdout", false },
	{ "io.open", false },                   { "io.open_code", false },
	{ "io.FileIO", false },                 { "_io.open", false },
	{ "_io.open_code", false },             { "_io.FileIO", false },
	{ "codecs.open", false },               { "logging.config", false },
	{ "pathlib.Path.write_text", false },   { "pathlib.Path.write_bytes", false },
	{ "pathlib.Path.unlink", false },       { "pathlib.Path.open", false },
	/* the network */
	{ "socket", false },                    { "_socket", true },
	{ "socketserver", true },               { "ssl", false },
	{ "_ssl", true },                       { "http", false },
	{ "httplib", true },                    { "urllib", true },
	{ "urllib2", true },                    { "urllib3", true },
	{ "requests", false },                  { "aiohttp", true },
	{ "httpx", true },                      { "ftplib", true },
	{ "smtplib", true },                    { "telnetlib", true },
	{ "poplib", true },                     { "imaplib", true },
	{ "nntplib", true },                    { "xmlrpc", true },
	{ "paramiko", true },                   { "webbrowser", true },
	{ "asyncio", true },
	/* threads, processes, signals */
	{ "multiprocessing", true },            { "threading", true },
	{ "_thread", true },                    { "thread", false },
	{ "concurrent.futures", false },        { "_signal", true },
	/* imports and code */
	{ "importlib", true },                  { "_frozen_importlib", true },
	{ "_frozen_importlib_external", true }, { "imp", false },
	{ "zipimport", true },                  { "pkgutil", true },
	{ "pkg_resources", true },              { "runpy", true },
	{ "code", false },                      { "codeop", true },
	{ "compileall", true },                 { "py_compile", true },
	{ "modulefinder", true },               { "site", false },
	{ "atexit", true },                     { "six.moves", false },
	{ "ctypes", true },                     { "_ctypes", true },
	{ "cffi", true },                       { "_cffi_backend", true },
	{ "types.FunctionType", false },        { "types.LambdaType", false },
	{ "types.CodeType", false },            { "types.MethodType", false },
	{ "operator.attrgetter", false },       { "operator.methodcaller", false },
	{ "operator.call", false },             { "_operator.attrgetter", false },
	{ "_operator.methodcaller", false },    { "_operator.call", false },
	/* other unpicklers */
	{ "pickle", true },                     { "_pickle", true },
	{ "cPickle", true },                    { "pickletools", true },
	{ "dill", true },                       { "cloudpickle", true },
	{ "jsonpickle", true },                 { "shelve", true },
	{ "marshal", true },                    { "joblib.load", false },
	{ "joblib.numpy_pickle", false },       { "pandas.read_pickle", false },
	{ "pandas.io.pickle", false },          { "pandas.eval", false },
	{ "yaml.load", false },                 { "yaml.unsafe_load", false },
	{ "yaml.full_load", false },
	/* debuggers, profilers, test runners, installers: they run what they are told */
	{ "pdb", true },                        { "bdb", true },
	{ "trace", false },                     { "timeit", false },
	{ "profile", false },                   { "cProfile", true },
	{ "pydoc", true },                      { "doctest", true },
	{ "unittest", false },                  { "test.support", false },
	{ "idlelib", true },                    { "lib2to3", true },
	{ "IPython", true },                    { "pip", false },
	{ "ensurepip", true },                  { "venv", false },
	{ "distutils", true },                  { "setuptools", true },
	/* libraries of the trade */
	{ "torch.hub", false },                 { "torch.load", false },
	{ "torch.serialization.load", false },  { "torch.jit", false },
	{ "torch.package", false },             { "torch.compile", false },
	{ "torch.utils.cpp_extension", false }, { "torch.utils.collect_env", false },
	{ "torch.utils.bottleneck", false },    { "torch.utils.model_zoo", false },
	{ "torch.utils._config_module", false },
	{ "torch.utils.data.datapipes.utils.decoder", false },
	{ "torch.distributed.rpc", false },     { "torch.multiprocessing", false },
	{ "torch.ops.load_library", false },    { "torch.classes.load_library", false },
	{ "torch._ops", false },                { "torch._classes", false },
	{ "torch._dynamo", false },             { "torch._inductor", false },
	{ "torch.fx.graph_module", false },     { "torch.fx.experimental", false },
	{ "numpy.f2py", false },                { "numpy.distutils", false },
	{ "numpy.ctypeslib", false },           { "numpy.load", false },
	{ "numpy.lib.npyio.load", false },      { "numpy.lib._npyio_impl.load", false },
	{ "numpy.testing", false },             { "tensorflow.load_library", false },
	{ "tensorflow.load_op_library", false },
	{ "tensorflow.python.framework.load_library", false },
	/* builtins */
	{ "builtins.eval", false },             { "builtins.exec", false },
	{ "builtins.execfile", false },         { "builtins.compile", false },
	{ "builtins.open", false },             { "builtins.file", false },
	{ "builtins.getattr", false },          { "builtins.setattr", false },
	{ "builtins.delattr", false },          { "builtins.globals", false },
	{ "builtins.locals", false },           { "builtins.vars", false },
	{ "builtins.input", false },            { "builtins.raw_input", false },
	{ "builtins.breakpoint", false },       { "builtins.apply", false },
	{ "builtins.reload", false },           { "builtins.help", false },
	{ "builtins.exit", false },             { "builtins.quit", false },
	{ "builtins.builtins", false },         { "__builtins__", true },
	/* the way from any object to all others */
	{ "__import__", true },                 { "__globals__", true },
	{ "__subclasses__", true },             { "__getattribute__", true },
	{ "__loader__", true },                 { "__dict__", true },
	{ "__code__", true },                   { "__build_class__", true },
	{ "__builtin__", true },                { "__mro__", true },
	{ "__bases__", true },                  { "__base__", true },
};

const char *
globals_python3_module(const char *module)
{
	if (strcmp(module, "__builtin__") == 0)
		return "builtins";
	return strcmp(module, "copy_reg") == 0 ? "copyreg" : module;
}

bool
globals_is_name(const char *name, size_t length)
{
	unsigned dots = 0;

	if (length == 0 || name[0] == '.' || name[length - 1] == '.')
		return false;
	for (size_t i = 0; i < length; i++) {
		if (name[i] <= ' ' || name[i] >= 0x7f)
			return false;
		if (name[i] == '.' && (name[i + 1] == '.' || ++dots >= GLOBALS_MAX_COMPONENTS))
			return false;
	}
	return true;
}

static bool
is_below(const char *path, const char *prefix)
{
	size_t length = strlen(prefix);

	return strncmp(path, prefix, length) == 0
		&& (path[length] == '.' || path[length] == '\0');
}

static bool
is_listed(const char *path, bool is_component)
{
	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
		if (paths[i].path[0] == path[0] && (paths[i].anywhere || !is_component)
		    && is_below(path, paths[i].path))
			return true;
	return false;
}

/* Of the module signal only the functions matter: the numbers are stored in `args`. */
static bool
is_signal_function(const char *module, const char *name)
{
	return strcmp(module, "signal") == 0 && !text_has_prefix(name, "SIG")
		&& !is_below(name, "Signals") && !is_below(name, "Handlers")
		&& !is_below(name, "Sigmasks");
}

bool
globals_is_dangerous(const char *module, const char *name)
{
	char        path[GLOBALS_PATH_SIZE];
	const char *component = name;

	module = globals_python3_module(module);
	snprintf(path, sizeof path, "%s.%s", module, name);
	if (is_listed(path, false) || is_signal_function(module, name))
		return true;
	while (component != NULL) {
		if (is_listed(component, true))
			return true;
		/* "serialization.builtins.eval": whatever leads there, builtins is builtins. */
		if (text_has_prefix(component, "builtins.") && is_listed(component, false))
			return true;
		if ((component = strchr(component, '.')) != NULL)
			component++;
	}
	return false;
}
