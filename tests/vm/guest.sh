#!/bin/bash
# SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
#
# What must hold on every kernel and architecture; runs in a guest of run-vm or run-vm-arm64, or
# on this machine as root.  One start of an interpreter, observed and then compared with its own
# -X importtime, module by module.  LMMSD names the program; $VM_OUT, if set, gets the files.
set -u

here=$(cd -- "$(dirname -- "$0")" && pwd)
lmmsd=${LMMSD:-${BUILD:-$here/../../build}/lmmsd}
# Debian's own: a static, stripped LTO build with USDT
for python in /usr/bin/python3.11 /usr/bin/python3; do
	[ ! -x "$python" ] || break
done
work=$(mktemp -d) || exit 1
failed=0

# check NAME COMMAND...: one step, its output shown when it fails
check()
{
	local name=$1 rc

	shift
	"$@" >"$work/log" 2>&1
	rc=$?
	if [ "$rc" = 0 ]; then
		echo "ok $name"
		return 0
	fi
	echo "not ok $name: status $rc"
	sed 's/^/    /' "$work/log"
	failed=$((failed + 1))
	return "$rc"
}

version()
{
	"$lmmsd" --version | grep -E '^lmmsd [0-9]'
}

# The program's standard error is shared with lmmsd, which is fine: the lines differ.
observe()
{
	"$lmmsd" -o "$work/out.json" -- "$python" -X importtime -c 'import json, asyncio' 2>"$work/stderr"
	local rc=$?

	grep -v '^import time:' "$work/stderr"
	return "$rc"
}

uname -srm
if [ ! -x "$lmmsd" ]; then
	echo "not ok: no program $lmmsd"
	exit 1
fi
check version version
check 'check of the kernel' "$lmmsd" --check
check observe observe &&
	check 'same as importtime' "$python" "$here/compare.py" "$work/out.json" "$work/stderr"
# End-to-end tests, as many as an emulated CPU does in minutes, on a USDT and a call site build.
e2e()
{
	E2E_TIMEOUT=600 E2E_JOBS=1 E2E_PYTHONS="d3.11 p3.12" "$here/../e2e/run" -v \
		'oracle.stdlib[' 'oracle.plugins[' 'programs.fork[' programs.exec programs.killed \
		programs.already_running 'programs.greenlet[d3.11' uses.hundred
}
if [ "$(uname -m)" = x86_64 ]; then
	check 'end to end' e2e
fi
[ -z "${VM_OUT:-}" ] || cp "$work/out.json" "$work/stderr" "$VM_OUT/" 2>/dev/null
rm -rf "$work"
[ "$failed" = 0 ]
