#!/bin/sh
# Installs the Debian packages that are missing of those that building needs; with "test",
# testing too, with "coverage" seeing what the tests run, with "matrix" making checkpoints, with
# "interop" the other programs, with "deb" and "static" packages and a static program, with
# "analyze" what looks for mistakes.  With everything there it asks dpkg and does nothing.
#
#     tests/bootstrap.sh [build|test|coverage|matrix|interop|deb|static|analyze]
#
# Default: test; all include build.
set -eu

BUILD_PACKAGES='gcc make pkg-config libc6-dev zlib1g-dev libzip-dev libcjson-dev libssl-dev
	libdeflate-dev'
TEST_PACKAGES='zip unzip python3 python3-yaml python3-jsonschema libxml2-utils cmark mandoc strace
	clang openssl bash binutils zsh fish'
MATRIX_PACKAGES='python3 python3-torch python3-numpy unzip'
INTEROP_PACKAGES='python3 python3-venv python3-pip python3-torch python3-numpy openssl'

COVERAGE_PACKAGES="$TEST_PACKAGES gcovr"
DEB_PACKAGES='debhelper dpkg-dev fakeroot lintian'
STATIC_PACKAGES='cmake dpkg-dev'
ANALYZE_PACKAGES='clang-tidy cppcheck valgrind openssl'

# Not built for every architecture; the program does without.
case $(dpkg --print-architecture 2>/dev/null) in
amd64|arm64) BUILD_PACKAGES="$BUILD_PACKAGES libisal-dev" ;;
esac

case ${1-test} in
build) packages=$BUILD_PACKAGES ;;
test)  packages="$BUILD_PACKAGES $TEST_PACKAGES" ;;
coverage) packages="$BUILD_PACKAGES $COVERAGE_PACKAGES" ;;
matrix) packages="$BUILD_PACKAGES $MATRIX_PACKAGES" ;;
interop) packages="$BUILD_PACKAGES $INTEROP_PACKAGES" ;;
deb)   packages="$BUILD_PACKAGES $DEB_PACKAGES" ;;
static) packages="$BUILD_PACKAGES $STATIC_PACKAGES" ;;
analyze) packages="$BUILD_PACKAGES $ANALYZE_PACKAGES" ;;
*)     echo "usage: $0 [build|test|coverage|matrix|interop|deb|static|analyze]" >&2; exit 2 ;;
esac

is_installed() {
	dpkg-query -W -f '${db:Status-Status}\n' "$1" 2>/dev/null | grep -qx installed
}

# On a system without dpkg the compiler and pkg-config say what is there.
if ! command -v dpkg-query >/dev/null 2>&1 || ! command -v apt-get >/dev/null 2>&1; then
	missing=
	for program in cc make pkg-config; do
		command -v $program >/dev/null 2>&1 || missing="$missing $program"
	done
	for library in zlib libzip libcjson libcrypto libdeflate; do
		pkg-config --exists $library 2>/dev/null || missing="$missing $library"
	done
	[ -n "$missing" ] || exit 0
	echo "$0: missing:$missing" >&2
	echo "$0: there is no apt-get here; on Debian these packages are needed:" >&2
	echo "$0:" $packages >&2
	exit 1
fi

missing=
for package in $packages; do
	is_installed "$package" || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

as_root=
if [ "$(id -u)" -ne 0 ]; then
	if ! command -v sudo >/dev/null 2>&1; then
		echo "$0: missing:$missing" >&2
		echo "$0: neither root nor sudo; as root: apt-get install$missing" >&2
		exit 1
	fi
	as_root=sudo
fi
echo "$0: installing:$missing" >&2
# shellcheck disable=SC2086
{
	$as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq update ||
	    echo "$0: the package lists could not be updated, going on with those there are"
	$as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends \
	    install $missing
} >&2
