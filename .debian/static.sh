#!/bin/sh
# A program without shared libraries, in OUT.
#
#     .debian/static.sh OUT          from the project's root
#
# Debian has no static libzip and cJSON: they are built here from Debian's source packages, which
# apt fetches from where it has its packages; libzip with nothing but deflate.  Where they cannot
# be had the target is skipped by name, with status 0.
set -eu
LC_ALL=C
export LC_ALL

case $1 in /*) out=$1 ;; *) out=$PWD/$1 ;; esac
prefix=$out/prefix
mkdir -p "$out/fetch/lists/partial" "$prefix/include/cjson" "$prefix/lib"

# Package, version, SHA-256 of its .dsc, which holds the checksums of the other files.
sources='libzip 1.7.3-1 2b905c3e6277bb4ae62c4464c5c7bbbd6661715d5b3c0f94523c34df6d1f4d1e
	cjson 1.7.15-1+deb12u4 764c2de141d680f4fb4cada30c526dacaa30ead061b9b9c34f2b81e2df0f8439'

skip() {
	echo "make static: skipped: $*"
	exit 0
}

is_there() {    # PACKAGE VERSION SHA256
	echo "$3  $out/fetch/$1_$2.dsc" | sha256sum --status -c - 2>/dev/null
}

# The lists of sources beside the machine's own lists, which stay as they are.
fetch() {
	command -v apt-get >/dev/null 2>&1 || skip "there is no apt-get to fetch libzip and cJSON with"
	apt-get indextargets --format 'deb-src $(REPO_URI) $(RELEASE) $(COMPONENT)' \
	    'Created-By: Packages' | sort -u > "$out/fetch/sources.list"
	set -- -o "Dir::State::lists=$out/fetch/lists" -o "Dir::Etc::sourceparts=/nonexistent" \
	    -o "Dir::Etc::sourcelist=$out/fetch/sources.list" -o APT::Sandbox::User=root
	apt-get -qq "$@" update >"$out/fetch/log" 2>&1 || :
	(cd "$out/fetch" && echo "$sources" | while read -r package version digest; do
		apt-get -qq "$@" source --download-only "$package=$version"
	done) >>"$out/fetch/log" 2>&1 || :
}

unpack() {      # PACKAGE VERSION SHA256
	is_there "$@" || skip "the source of $1 $2 (.dsc with SHA-256 $3) cannot be had"
	rm -rf "${out:?}/$1"
	dpkg-source -x "$out/fetch/$1_$2.dsc" "$out/$1" >"$out/$1.log" 2>&1 ||
	    { cat "$out/$1.log"; exit 1; }
}

# shellcheck disable=SC2086
set -- $sources
is_there "$1" "$2" "$3" && is_there "$4" "$5" "$6" || fetch
unpack "$1" "$2" "$3"
unpack "$4" "$5" "$6"

cmake -S "$out/libzip" -B "$out/libzip/build" -DCMAKE_BUILD_TYPE=Release \
    -DCMAKE_INSTALL_PREFIX="$prefix" -DCMAKE_INSTALL_LIBDIR=lib -DBUILD_SHARED_LIBS=OFF \
    -DCMAKE_POSITION_INDEPENDENT_CODE=ON -DENABLE_COMMONCRYPTO=OFF \
    -DENABLE_GNUTLS=OFF -DENABLE_MBEDTLS=OFF -DENABLE_OPENSSL=OFF \
    -DENABLE_BZIP2=OFF -DENABLE_LZMA=OFF -DENABLE_ZSTD=OFF -DBUILD_TOOLS=OFF \
    -DBUILD_REGRESS=OFF -DBUILD_EXAMPLES=OFF -DBUILD_DOC=OFF \
    -DCMAKE_POLICY_VERSION_MINIMUM=3.5 >"$out/libzip.log" 2>&1 &&
    cmake --build "$out/libzip/build" --target install >>"$out/libzip.log" 2>&1 ||
    { tail "$out/libzip.log"; exit 1; }
cp "$out/cjson/cJSON.h" "$prefix/include/cjson/"
${CC:-cc} -O2 -fPIC -c -o "$out/cjson/cJSON.o" "$out/cjson/cJSON.c"
rm -f "$prefix/lib/libcjson.a"
ar rcs "$prefix/lib/libcjson.a" "$out/cjson/cJSON.o"

# There is no static ISA-L either, so zlib inflates.  libcrypto warns that it could look up host
# names: nothing here asks it to.
${MAKE:-make} -s BUILD="$out/build" ISAL= CPPFLAGS="-I$prefix/include" \
    LDFLAGS="-static-pie -L$prefix/lib" "$out/build/megatron2hf" 2>"$out/build.log" ||
    { cat "$out/build.log"; exit 1; }
cp "$out/build/megatron2hf" "$out/megatron2hf"
sh tests/install/hardening.sh "$out/megatron2hf"
echo "$out/megatron2hf"
