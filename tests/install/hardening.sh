#!/bin/sh
# What a program or library lacks of the protections that the Makefile asks for, one a line; nothing
# and status 0 when it has all.
#
#     tests/install/hardening.sh [-n] FILE [OBJECT ...]
#
# -n: it was built without the optimizer or with a sanitizer, so that calls are not fortified.
# OBJECT: objects that it was made of.  On x86 they must be marked as ready for shadow stacks and
# indirect branch tracking; whether the whole is depends on the C library's start files.
set -u
LC_ALL=C
export LC_ALL
fortified=yes
[ "$1" != -n ] || { fortified=no; shift; }
file=$1
shift
lacks=0

need() {        # WHAT, STATUS
	[ "$2" -eq 0 ] || { echo "$file: $1"; lacks=1; }
}

dynamic=$(readelf -dW "$file")
readelf -hW "$file" | grep -q 'Type: *DYN'
need 'not position independent' $?
readelf -lW "$file" | grep -q GNU_RELRO
need 'no RELRO' $?
readelf -lW "$file" | grep GNU_STACK | grep -q 'RW '
need 'the stack is executable' $?
! readelf -lW "$file" | grep LOAD | grep -q 'W *E'
need 'a segment that can be written and executed' $?
! echo "$dynamic" | grep -q TEXTREL
need 'relocations in the code' $?
echo "$dynamic" | grep -qE 'BIND_NOW|Flags:.* NOW'
need 'symbols are bound late' $?
# A static program has what it calls inside itself.
symbols=$(if echo "$dynamic" | grep -q NEEDED; then readelf --dyn-syms -W "$file"
	else readelf -sW "$file"; fi)
echo "$symbols" | grep -q __stack_chk_fail
need 'no stack protector' $?
if [ $fortified = yes ]; then
	echo "$symbols" | grep -qE '__[a-z]+_chk(@|$)'
	need 'no fortified calls' $?
fi
case $(readelf -hW "$file") in
*'X86-64'*)
	for object in "$@"; do
		readelf -nW "$object" | grep -q 'x86 feature:.*IBT.*SHSTK'
		need "$object is marked neither for IBT nor for SHSTK" $?
	done ;;
esac
exit $lacks
