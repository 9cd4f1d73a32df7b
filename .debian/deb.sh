#!/bin/sh
# Debian packages from the source tarball, in BUILD/deb; lintian looks at them.
#
#     .debian/deb.sh BUILD VERSION          from the project's root
#
# DEBFULLNAME and DEBEMAIL, where they are set, name the maintainer.  The revision -0upstream1 is
# lower than any of Debian's own.
set -eu
LC_ALL=C
export LC_ALL

build=$1
version=$2
work=$build/deb
rm -rf "$work"
mkdir -p "$work"
sh .debian/dist.sh "$build/megatron2hf-$version"
cp "$build/megatron2hf-$version.tar.gz" "$work/megatron2hf_$version.orig.tar.gz"
cd "$work"
tar -xzf "megatron2hf_$version.orig.tar.gz"
cd "megatron2hf-$version"
cp -R .debian debian
rm debian/*.sh
if [ -n "${DEBEMAIL:-}" ]; then
	sed -i "s|^Maintainer: .*|Maintainer: ${DEBFULLNAME:-$DEBEMAIL} <$DEBEMAIL>|" debian/control
fi
cat > debian/changelog <<CHANGELOG
megatron2hf ($version-0upstream1) unstable; urgency=medium

  * Version $version.

 -- $(sed -n 's/^Maintainer: //p' debian/control)  $(date -R -u -d "@$(stat -c %Y Makefile)")
CHANGELOG
# The environment of the make that called says nothing to this one.
unset MAKEFLAGS MFLAGS MAKELEVEL BUILD CC CFLAGS PREFIX DESTDIR
dpkg-buildpackage -us -uc -b
sh tests/install/hardening.sh debian/megatron2hf/usr/bin/megatron2hf
sh tests/install/hardening.sh debian/libmegatron2hf0/usr/lib/*/libmegatron2hf.so.0
cd ..
lintian --fail-on=error,warning --tag-display-limit 0 ./*.changes
ls -l ./*.deb
