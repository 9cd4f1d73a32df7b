#!/bin/bash
# What `make install` puts where, whether other programs can use it, that nothing stays after
# `make uninstall`, and that the source tarball is the same twice and builds.
#
#     tests/install/run.sh BUILD                            from the project's root
#
# CC and CFLAGS as the build had them.
set -u
LC_ALL=C
export LC_ALL
unset MAKEFLAGS MFLAGS MAKELEVEL DESTDIR PREFIX SOURCE_DATE_EPOCH

case $1 in /*) build=$1 ;; *) build=$PWD/$1 ;; esac
temp=$(mktemp -d) || exit 2
trap 'rm -rf "$temp"' EXIT
passed=0
failed=0

expect() {      # WHAT, EXPECTED, FOUND
	if [ "$2" = "$3" ]; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "install: $1"
		diff <(echo "$2") <(echo "$3") | sed 's/^/    /'
	fi
}

run_make() {
	make -s BUILD="$build" ${CC:+CC="$CC"} ${CFLAGS:+CFLAGS="$CFLAGS"} "$@"
}

files() {       # of a folder: files and links
	(cd "$1" && find . ! -type d | sed 's|^\./||' | sort)
}

# ---- install ------------------------------------------------------------------------

version=$(sed -n 's/^#define M2H_VERSION "\(.*\)"/\1/p' include/megatron2hf.h)
root=$temp/root
run_make install DESTDIR="$root" PREFIX=/usr >"$temp/log" 2>&1
expect 'make install: status and words' '0 ' "$? $(cat "$temp/log")"
expect 'what is installed' "$(cat <<FILES
usr/bin/megatron2hf
usr/include/megatron2hf.h
usr/lib/libmegatron2hf.a
usr/lib/libmegatron2hf.so
usr/lib/libmegatron2hf.so.0
usr/lib/libmegatron2hf.so.$version
usr/lib/pkgconfig/megatron2hf.pc
usr/share/bash-completion/completions/megatron2hf
usr/share/fish/vendor_completions.d/megatron2hf.fish
$(cd man && ls ./*.[1-9] | sed 's|^\./\(.*\)\.\(.\)$|usr/share/man/man\2/\1.\2|' | sort | sort)
usr/share/megatron2hf/conversion.schema.json
usr/share/megatron2hf/megatron2hf.schema.json
usr/share/zsh/site-functions/_megatron2hf
FILES
)" "$(files "$root")"
expect 'modes' 'usr/bin/megatron2hf' \
    "$(cd "$root" && find . -type f -perm /111 | sed 's|^\./||')"
expect 'the program runs' "megatron2hf $version" "$("$root/usr/bin/megatron2hf" --version 2>&1)"

# ---- hardening ----------------------------------------------------------------------

not_fortified=
case ${CFLAGS:--O2} in
*-fsanitize=*|*-O0*) not_fortified=-n ;;
*-O*) ;;
*) not_fortified=-n ;;
esac
# A sanitizer's run time is linked in, and is what it is.
case ${CFLAGS:-} in
*-fsanitize=*) ;;
*)	expect 'the program is hardened' '' "$(sh tests/install/hardening.sh $not_fortified \
	    "$root/usr/bin/megatron2hf" "$build"/src/*/*.o 2>&1)"
	expect 'the shared library is' '' "$(sh tests/install/hardening.sh $not_fortified \
	    "$root/usr/lib/libmegatron2hf.so" 2>&1)" ;;
esac

# ---- library ------------------------------------------------------------------------

declared=$(grep -oE '^M2H_API .*\<m2h_[a-z_]+\(' include/megatron2hf.h |
    grep -oE 'm2h_[a-z_]+\($' | tr -d '(' | sort)
expect 'the shared library has the symbols of the header, and no others' "$declared" \
    "$(nm -D --defined-only "$root/usr/lib/libmegatron2hf.so" | sed -n 's/^.* T \(.*\)@@M2H_0$/\1/p' | sort)"
expect 'all of them have the version' '' \
    "$(nm -D --defined-only "$root/usr/lib/libmegatron2hf.so" | grep -v '@@M2H_0$\| A M2H_0$')"
expect "the Debian package's list of symbols has them too" "$declared" \
    "$(sed -n 's/^ \(m2h_.*\)@M2H_0 .*/\1/p' .debian/libmegatron2hf0.symbols)"
case ${CFLAGS:-} in
*-fsanitize=* | *--coverage*) ;;        # which add symbols of their own
*)	expect 'the static library has the symbols of the header, and no others' "$declared" \
	    "$(nm -g --defined-only "$root/usr/lib/libmegatron2hf.a" | awk 'NF == 3 { print $3 }' | sort)" ;;
esac
expect 'soname' 'libmegatron2hf.so.0' "$(objdump -p "$root/usr/lib/libmegatron2hf.so" |
    awk '$1 == "SONAME" { print $2 }')"

# The root stands in for /: pkg-config puts it before the paths it gives.
export PKG_CONFIG_PATH=$root/usr/lib/pkgconfig
pc() {
	pkg-config --define-variable=prefix="$root/usr" "$@" megatron2hf
}
expect 'pkg-config: version' "$version" "$(pc --modversion)"
read -ra compiler <<<"${CC:-cc}"
read -ra cflags <<<"${CFLAGS:-} -std=c11 -Wall -Wextra -Wpedantic -Werror $(pc --cflags)"
read -ra shared <<<"$(pc --libs)"
expect 'pkg-config: no more than the library for a program with the shared one' \
    "-L$root/usr/lib -lmegatron2hf" "${shared[*]}"
# What the static library needs, itself shared: --static would go on to what libzip needs.
read -ra needed <<<"$(pc --print-requires-private | tr '\n' ' ')"
read -ra private <<<"$(pkg-config --libs "${needed[@]}") -lm -pthread"

example() {     # NAME LINKER-ARGUMENT...: builds and runs it
	local name=$1
	shift
	"${compiler[@]}" "${cflags[@]}" -o "$temp/$name" tests/install/example.c "$@" >"$temp/log" 2>&1
	expect "the example builds, $name" '0 ' "$? $(cat "$temp/log")"
	LD_LIBRARY_PATH=$root/usr/lib "$temp/$name" fixtures/good-ngc-mini.zip 2 "$temp/$name.out" \
	    >"$temp/$name.said" 2>"$temp/log"
	expect "the example runs, $name" '0 ' "$? $(cat "$temp/log")"
	expect "the example says, $name" "megatron2hf $version
inspect: ok
Megatron checkpoint: 2 layers, 16 wide
convert: ok
$(cd "$temp/$name.out" && sha256sum -- *)
verify: ok" "$(cat "$temp/$name.said")"
	LD_LIBRARY_PATH=$root/usr/lib "$temp/$name" fixtures/missing 2 "$temp/none" >"$temp/log"
	expect "the example fails, $name" '6' "$?"
}
example shared "${shared[@]}"
example static "$root/usr/lib/libmegatron2hf.a" "${private[@]}"
expect 'the one needs the library, the other does not' 'shared' \
    "$(cd "$temp" && for name in shared static; do
	objdump -p $name | grep -q 'NEEDED *libmegatron2hf.so.0' && echo $name; done)"

# ---- completions --------------------------------------------------------------------

bash_file=$root/usr/share/bash-completion/completions/megatron2hf
complete_bash() {       # WORD...: what bash would offer for the last of them, in one line
	bash --norc -c '. "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
	    _megatron2hf; printf "%s\n" "${COMPREPLY[@]}" | sort | tr "\n" " "' \
	    - "$bash_file" "$@" 2>&1
}
options_of() {
	"$root/usr/bin/megatron2hf" "$1" --help | grep -oE -- '--[a-z0-9-]+' |
	    grep -vx -- '--stream' | sort -u | tr '\n' ' '
}
expect 'bash reads the completion' '' "$(bash -n "$bash_file" 2>&1)"
expect 'bash knows the function' 'complete -F _megatron2hf megatron2hf' \
    "$(bash --norc -c '. "$1"; complete -p megatron2hf' - "$bash_file" 2>&1)"
expect 'bash: commands' 'convert diff help inspect sign verify ' \
    "$(complete_bash megatron2hf '' | tr ' ' '\n' | grep -v '^-' | tr '\n' ' ')"
expect 'bash: c' 'convert ' "$(complete_bash megatron2hf c)"
expect 'bash: words of an option' 'bfloat16 ' "$(complete_bash megatron2hf convert a --dtype b)"
expect 'bash: words after =' 'both pytorch safetensors ' \
    "$(complete_bash megatron2hf convert --weights =)"
expect 'bash: a word after =' 'pytorch ' "$(complete_bash megatron2hf convert --weights = p)"
expect 'bash: words of a common option' 'always auto ' "$(complete_bash megatron2hf --color a)"
for command in inspect verify diff sign; do
	expect "bash: options of $command" "$(options_of $command)" \
	    "$(complete_bash megatron2hf $command --)"
done
mkdir "$temp/box" "$temp/box/a folder"
: > "$temp/box/a file"
expect 'bash: paths with blanks' 'a file a folder ' \
    "$(cd "$temp/box" && complete_bash megatron2hf inspect a)"
expect 'bash: folders' 'a folder ' \
    "$(cd "$temp/box" && complete_bash megatron2hf convert x --staging a)"

fish_file=$root/usr/share/fish/vendor_completions.d/megatron2hf.fish
if command -v fish >/dev/null 2>&1; then
	complete_fish() {
		HOME=$temp XDG_CONFIG_HOME=$temp XDG_DATA_HOME=$temp fish --no-config -c "source $fish_file
		    complete -C '$1'" 2>&1 | cut -f 1 | sort | tr '\n' ' '
	}
	expect 'fish reads the completion' '' "$(fish -n "$fish_file" 2>&1)"
	expect 'fish: c' 'convert ' "$(complete_fish 'megatron2hf co')"
	expect 'fish: words of an option' 'bfloat16 ' "$(complete_fish 'megatron2hf convert a --dtype bf')"
	expect 'fish: options' '--tensor-sha256 ' "$(complete_fish 'megatron2hf convert --tensor-')"
	expect 'fish: not an option of it' '' "$(complete_fish 'megatron2hf inspect --tensor-')"
fi
zsh_file=$root/usr/share/zsh/site-functions/_megatron2hf
expect 'zsh: its head' '#compdef megatron2hf' "$(head -1 "$zsh_file")"
if command -v zsh >/dev/null 2>&1; then
	expect 'zsh reads the completion' '' "$(zsh -fn "$zsh_file" 2>&1)"
	cat > "$temp/complete.zsh" <<'ZSH'
# Types LINE and a key into a shell on a terminal of its own; the key completes, and writes what
# became of the line to FILE.  Arguments: FOLDER LINE FILE
zmodload zsh/zpty && zpty shell zsh -f -i || exit 1
zpty -w shell "fpath=(${(q)1} \$fpath); autoload -Uz compinit; compinit -D -u
said() { zle expand-or-complete; print -r -- \$BUFFER > ${(q)3}.part; mv ${(q)3}.part ${(q)3} }
zle -N said; bindkey '^T' said; print rea''dy"
zpty -r -m shell seen '*ready*'
zpty -w -n shell "$2"$'\C-t'
until [[ -e $3 ]]; do sleep 0.1; done
ZSH
	complete_zsh() {
		rm -f "$temp/line"
		timeout 60 zsh -f "$temp/complete.zsh" "${zsh_file%/*}" "$1" "$temp/line" \
		    >"$temp/log" 2>&1 && sed 's/ *$//' "$temp/line" || cat "$temp/log"
	}
	# Completion needs a terminal, which a bare chroot cannot give.
	if zsh -fc 'zmodload zsh/zpty && zpty x true' 2>/dev/null; then
		expect 'zsh: a command' 'megatron2hf convert' \
		    "$(complete_zsh 'megatron2hf conv')"
		expect 'zsh: an option' 'megatron2hf convert --tensor-sha256' \
		    "$(complete_zsh 'megatron2hf convert --tens')"
		expect 'zsh: a word' 'megatron2hf convert x --dtype bfloat16' \
		    "$(complete_zsh 'megatron2hf convert x --dtype b')"
	fi
fi

# ---- uninstall ----------------------------------------------------------------------

run_make uninstall DESTDIR="$root" PREFIX=/usr >"$temp/log" 2>&1
expect 'make uninstall: status and words' '0 ' "$? $(cat "$temp/log")"
expect 'what is left' '.
./usr
./usr/bin
./usr/include
./usr/lib
./usr/share
./usr/share/man' "$(cd "$root" && find . | sort)"

run_make install DESTDIR="$root" PREFIX=/opt/m LIBDIR=/opt/m/lib64 >/dev/null 2>&1
: > "$root/opt/m/share/megatron2hf/of-somebody-else"
expect 'LIBDIR in the pkg-config file' "-L/opt/m/lib64 -lmegatron2hf" \
    "$(PKG_CONFIG_PATH=$root/opt/m/lib64/pkgconfig pkg-config --libs megatron2hf | sed 's/ *$//')"
run_make uninstall DESTDIR="$root" PREFIX=/opt/m LIBDIR=/opt/m/lib64 >/dev/null 2>&1
expect 'what is not ours stays' 'opt/m/share/megatron2hf/of-somebody-else' "$(files "$root")"

# ---- source tarball -----------------------------------------------------------------

dist() {        # BUILD: the tarball's digest
	make -s dist BUILD="$1" >/dev/null 2>"$temp/log" || cat "$temp/log"
	sha256sum < "$1/megatron2hf-$version.tar.gz"
}
one=$(umask 077; dist "$temp/one")
expect 'make dist gives the same bytes twice' "$one" "$(umask 002; dist "$temp/two")"
mkdir "$temp/unpacked"
tar -xzf "$temp/one/megatron2hf-$version.tar.gz" -C "$temp/unpacked"
expect 'the tarball has one folder' "megatron2hf-$version" "$(ls -A "$temp/unpacked")"
cd "$temp/unpacked/megatron2hf-$version" || exit 2
expect 'it gives the same tarball' "$one" "$(dist "$temp/three")"
unset CFLAGS
make -s BUILD="$temp/from-tarball" CFLAGS=-O0 "$temp/from-tarball/megatron2hf" >"$temp/log" 2>&1 ||
    cat "$temp/log"
expect 'and runs' "megatron2hf $version" "$("$temp/from-tarball/megatron2hf" --version 2>&1)"

echo "install: $passed passed, $failed failed"
[ $failed -eq 0 ]
