# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
#
# Sourced by the scripts of tests/env and tests/vm: where things lie, the skip
# protocol, and a private apt.  The machine's own package lists, caches and
# dpkg status are read by nothing here and never written.
#
# Skip protocol: one line "SKIP reason" on stdout and exit status 77.

ENV_DIR=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
REPO=$(cd -- "$ENV_DIR/../.." && pwd)
BUILD=${BUILD:-$REPO/build}
case $BUILD in /*) ;; *) BUILD=$REPO/$BUILD ;; esac
# What takes long to make and is the same for every checkout: Debian trees, kernels. Kept between runs.
CACHE=${LMMSD_TEST_CACHE:-/var/cache/lmmsd-tests}
mkdir -p "$CACHE" 2>/dev/null && [ -w "$CACHE" ] || CACHE=$BUILD/cache
MIRROR=${LMMSD_DEBIAN_MIRROR:-http://deb.debian.org}
# /usr/sbin is missing from the PATH of many non-login shells
PATH=$PATH:/usr/sbin:/sbin
export BUILD CACHE PATH

skip()
{
	printf 'SKIP %s\n' "$*"
	exit 77
}

die()
{
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 1
}

# need TOOL... : skip unless every tool can be run
need()
{
	local t

	for t in "$@"; do
		command -v "$t" >/dev/null || skip "$t is not installed (tests/env/deps lists the packages)"
	done
}

# lock FILE: one builder at a time; the lock goes with the process
lock()
{
	mkdir -p "$(dirname -- "$1")"
	exec {LOCK_FD}>"$1" || die "cannot write $1"
	flock "$LOCK_FD"
}

# key TEXT...: a short name for a recipe, so that a changed recipe is a new name
key()
{
	printf '%s\n' "$@" | sha256sum | cut -c1-16
}

# suite_sources SUITE [OPTIONS]: apt lines for a Debian suite, OPTIONS like [arch=arm64]
suite_sources()
{
	local opt=${2:-}

	case $1 in
	sid)
		echo "deb $opt $MIRROR/debian sid main"
		;;
	*)
		echo "deb $opt $MIRROR/debian $1 main"
		echo "deb $opt $MIRROR/debian-security $1-security main"
		;;
	esac
}

# apt_open DIR SUITE [ARCH]: a private apt in DIR, as the array APT.  It believes that nothing
# is installed, so that what it solves is a full closure.
apt_open()
{
	local dir=$1 suite=$2 arch=${3:-$(dpkg --print-architecture)}

	need apt-get dpkg-deb
	mkdir -p "$dir/lists/partial" "$dir/cache/archives/partial" || die "cannot write $dir"
	suite_sources "$suite" >"$dir/sources"
	: >"$dir/status"
	APT=(apt-get -q -y -oAPT::Architecture="$arch" -oAPT::Architectures::="$arch"
		-oDir::Etc::sourcelist="$dir/sources" -oDir::Etc::sourceparts=/dev/null
		-oDir::Etc::preferences=/dev/null -oDir::Etc::preferencesparts=/dev/null
		-oDir::State::Lists="$dir/lists" -oDir::State::status="$dir/status"
		-oDir::State::extended_states="$dir/extended" -oDir::Cache="$dir/cache"
		-oDir::Log=/dev/null -oAPT::Sandbox::User=root -oAPT::Install-Recommends=false
		-oAcquire::Check-Valid-Until=false -oAcquire::Languages=none
		-oAcquire::Retries=2 -oAcquire::http::Timeout=30)
	APT_LOG=$dir/log
	: >"$APT_LOG"
	"${APT[@]}" -oAPT::Update::Error-Mode=any update >>"$APT_LOG" 2>&1
}

# apt_closure PACKAGE...: print the packages, their dependencies included, that an empty
# system would need
apt_closure()
{
	"${APT[@]}" -s install "$@" 2>>"$APT_LOG" | awk '$1 == "Inst" { print $2 }'
}

# apt_names PATTERN: the package names that match the extended regular expression, in order
# of their version numbers
apt_names()
{
	apt-cache "${APT[@]:3}" pkgnames 2>>"$APT_LOG" | grep -E -x -e "$1" | sort -V
}

# apt_fetch DIR PACKAGE...: the .deb files into DIR, nothing resolved
apt_fetch()
{
	local dir=$1

	shift
	[ $# -gt 0 ] || return 1
	mkdir -p "$dir"
	(cd "$dir" && "${APT[@]}" download "$@" >>"$APT_LOG" 2>&1)
}

# merged_usr ROOT: the /bin -> usr/bin links, before anything is unpacked
merged_usr()
{
	local d

	for d in bin sbin lib lib64; do
		mkdir -p "$1/usr/$d"
		ln -sfn "usr/$d" "$1/$d"
	done
}

# unpack DEB ROOT: what dpkg-deb -x does, but a link like /lib -> usr/lib stays a link
unpack()
{
	set -o pipefail
	dpkg-deb --fsys-tarfile "$1" | tar -x -C "$2" --keep-directory-symlink
}

# debian_tree DIR SUITE ARCH PACKAGE...: in DIR, the unpacked packages with all they depend on,
# no maintainer script run.  Skips if the suite or a package cannot be fetched.  A half-made
# tree lies in $tree_work; the caller finishes $tree_new and calls debian_tree_done.
debian_tree()
{
	local dir=$1 suite=$2 arch=$3 all p

	shift 3
	tree_dir=$dir
	tree_work=$(dirname -- "$dir")/.${dir##*/}.new
	tree_new=$tree_work/root
	rm -rf "$tree_work"
	if ! apt_open "$tree_work/apt" "$suite" "$arch"; then
		tail -n 3 "$APT_LOG" >&2
		skip "suite $suite cannot be fetched"
	fi
	all=$(apt_closure "$@")
	if [ -z "$all" ]; then
		tail -n 3 "$APT_LOG" >&2
		skip "suite $suite has not all of: $*"
	fi
	# shellcheck disable=SC2086 # a list of words
	if ! apt_fetch "$tree_work/debs" $all; then
		tail -n 3 "$APT_LOG" >&2
		skip "packages of $suite cannot be fetched"
	fi
	mkdir -p "$tree_new"
	merged_usr "$tree_new"
	for p in "$tree_work"/debs/*.deb; do
		unpack "$p" "$tree_new" || die "cannot unpack $p"
	done
}

# debian_tree_done STAMP: put the tree in its place
debian_tree_done()
{
	echo "$1" >"$tree_new/.stamp"
	rm -rf "$tree_dir"
	mv "$tree_new" "$tree_dir" || die "cannot write $tree_dir"
	rm -rf "$tree_work"
}
