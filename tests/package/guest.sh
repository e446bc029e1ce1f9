#!/bin/bash
# SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
#
# The life of the Debian package under a real systemd: install, observe, scrape, reload, crash, upgrade, purge. Runs as root in
# a container (tests/env/run-nspawn) or a virtual machine (tests/vm/run-systemd); the working directory has old.deb
# and new.deb. One line a step, "ok NAME" or "not ok NAME: why".
# usage: guest.sh [all|short]      short: without the steps that only need time, for emulated machines
set -u
what=${1:-all}
failed=0
export LC_ALL=C.UTF-8 PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
apps_dir=/srv/shop
kernel_old=false
if ! grep -q -a -F BPF_TRACE_UPROBE_MULTI /sys/kernel/btf/vmlinux; then
	kernel_old=true
fi

# step NAME FUNCTION: a failed step shows what it printed
step()
{
	local name=$1 out rc

	shift
	out=$("$@" 2>&1)
	rc=$?
	case $rc in
	0) echo "ok $name" ;;
	77) echo "SKIP $name: $(tail -n 1 <<<"$out")" ;;
	*)
		echo "not ok $name: status $rc"
		tail -n 25 <<<"$out" | sed 's/^/    /'
		failed=$((failed + 1))
		;;
	esac
	return "$rc"
}

# must COMMAND...: ends the step, with the command, when it fails
must()
{
	"$@" && return
	echo "failed: $*"
	exit 1
}

# is VALUE WANTED WHAT
is()
{
	[ "$1" = "$2" ] && return
	echo "$3 is '$1', wanted '$2'"
	exit 1
}

# until_true SECONDS COMMAND...: there is nothing to wait for but the answer itself
until_true()
{
	local by=$((SECONDS + $1))

	shift
	while ! "$@"; do
		if [ "$SECONDS" -ge "$by" ]; then
			echo "not in time: $*"
			journalctl -u lmmsd -n 15 --no-pager -o cat
			exit 1
		fi
		sleep 0.2 # lint: allow(sleeps) a bounded poll
	done
}

unit()
{
	systemctl show -P "$1" lmmsd.service
}

# runs APP: how many the database has
runs()
{
	lmmsctl apps --format json | python3 -I -c '
import json, sys
print(sum(a["runs"] for a in json.load(sys.stdin)["apps"] if a["app"] == sys.argv[1]))' "$1"
}

has_runs()
{
	[ "$(runs "$1")" -ge "$2" ]
}

shop()
{
	mkdir -p "$apps_dir"
	printf 'import json, colorsys\n' >"$apps_dir/manage.py"
	must python3 "$apps_dir/manage.py"
}

# ---- steps

install()
{
	must dpkg -i old.deb
	is "$(unit ActiveState)" active ActiveState
	is "$(unit Type)" notify Type
	is "$(systemctl is-enabled lmmsd)" enabled is-enabled
	is "$(id -un lmmsd):$(id -gn lmmsd)" lmmsd:lmmsd "the account"
	is "$(stat -c %U:%G:%a /var/lib/lmmsd /var/lib/lmmsd/reviews | sort -u)" lmmsd:lmmsd:750 /var/lib/lmmsd
	is "$(ps -o user= -p "$(unit MainPID)")" lmmsd "the user"
	must grep -q '[1-9][0-9]* interpreters' <<<"$(unit StatusText)"
}

# Exactly these, in every thread; CAP_SYS_ADMIN only where the kernel cannot do without
rights()
{
	local want=000000c000080004 threads=0 t

	! $kernel_old || want=000000c000280004
	for t in "/proc/$(unit MainPID)"/task/*/status; do
		is "$(awk '$1 ~ /^Cap/ { printf "%s%s ", $1, $2 }' "$t")" \
			"CapInh:0000000000000000 CapPrm:$want CapEff:$want CapBnd:$want CapAmb:0000000000000000 " "$t"
		is "$(awk '/^(NoNewPrivs|Seccomp):/ { printf "%s ", $2 }' "$t")" "1 2 " "NoNewPrivs, Seccomp"
		threads=$((threads + 1))
	done
	must [ "$threads" -ge 3 ]
	if $kernel_old; then
		must [ -f /run/systemd/generator/lmmsd.service.d/50-perf-uprobes.conf ]
	else
		must [ ! -e /run/systemd/generator/lmmsd.service.d ]
	fi
}

seen()
{
	shop
	until_true 60 has_runs shop/manage.py 1
	must grep -q -w colorsys <<<"$(lmmsctl modules --app shop/manage.py)"
}

lists()
{
	lmmsctl modules --app "$1" 2>/dev/null | grep -q -w "$2"
}

PROGRAM='import sys; print("up", flush=True); sys.stdin.read(); import MODULE'

# A Python of eve's own, in a home and with a mode that is closed to others
eve_runs()
{
	local py=/home/u/py/bin/python3.11

	if [ ! -e "$py" ]; then
		mkdir -p "${py%/*}"
		cp "$(realpath /usr/bin/python3)" "$py"
		chmod 700 /home/u "$py"
		chown -R eve:eve /home/u
	fi
	must setpriv --reuid eve --regid eve --init-groups "$py" -W ignore -c "${PROGRAM/MODULE/$1}"
}

# A Python in a root of its own, as a container has it
box_runs()
{
	# shellcheck disable=SC2016 # expanded inside
	must unshare -m --propagation private bash -c 'mount -t tmpfs box /mnt && cd /mnt && mkdir -p usr opt/bin srv &&
		mount --rbind /usr usr && ln -s usr/bin usr/lib usr/lib64 . && cp "$(realpath /usr/bin/python3)" opt/bin/python3.11 &&
		chroot . /opt/bin/python3.11 -W ignore -c "$1"' box "${PROGRAM/MODULE/$1}"
}

# held RUNNER MODULE [LINE...]: it runs; lmmsd is started anew, with the LINEs in its unit; then it imports the MODULE. In a
# container lmmsd has a PID namespace of its own, so it must find the process by looking for it.
held()
{
	local runner=$1 module=$2 pid

	shift 2
	rm -f /run/hold /run/up
	must mkfifo /run/hold
	"$runner" "$module" </run/hold >/run/up &
	pid=$!
	exec 9>/run/hold
	until_true 30 grep -q up /run/up
	must drop_in "$@"
	exec 9>&-
	must wait "$pid"
}

watched()
{
	held "$1" "$2"
	until_true 60 lists 'python -c' "$2"
}

# unwatched RUNNER MODULE LINE...: not seen, though what runs after it is
unwatched()
{
	local n

	held "$@"
	n=$(runs 'our shop')
	shop
	until_true 60 has_runs 'our shop' $((n + 1))
	if lists 'python -c' "$2"; then
		echo "it sees this without the capability, too"
		exit 1
	fi
}

# without CAPABILITY: lines for drop_in
without()
{
	printf '%s\n' "AmbientCapabilities=~$1" "CapabilityBoundingSet=~$1"
}

# Each capability of the unit: what fails without it
needs_bpf()
{
	drop_in "$(without CAP_BPF)" && return 1
	failed_with 3 'not permitted to load BPF programs'
}

needs_perfmon()
{
	drop_in "$(without CAP_PERFMON)" && return 1
	failed_with 3 'not permitted to load BPF programs'
}

needs_ptrace()
{
	unwatched box_runs imghdr "$(without CAP_SYS_PTRACE)"
}

needs_dac()
{
	unwatched eve_runs chunk "$(without CAP_DAC_READ_SEARCH)"
}

group_only()
{
	getent passwd eve >/dev/null || must useradd -m -d /home/u eve
	getent passwd bob >/dev/null || must useradd bob
	must usermod -a -G lmmsd eve
	must setpriv --reuid eve --regid eve --init-groups lmmsctl apps >/dev/null
	is "$(setpriv --reuid bob --regid bob --init-groups lmmsctl apps >/dev/null 2>&1; echo $?)" 3 "the status of lmmsctl for others"
}

scraped()
{
	must curl -sS -f -m 20 -o /run/metrics http://127.0.0.1:9748/metrics
	must grep -q '^lmmsd_build_info{' /run/metrics
	must grep -q '^lmmsd_runs_total{app="shop/manage.py"} [1-9]' /run/metrics
	is "$(ss -Hltnp 'sport = 9748' 2>/dev/null | grep -c '127.0.0.1:9748')" 1 "listeners on 127.0.0.1:9748"
	must grep -q '"lmms.review/1"' <<<"$(curl -sS -f -m 20 http://127.0.0.1:9748/api/v1/review)"
}

# Where the memory controller is there: in a virtual machine
memory()
{
	local now high

	now=$(unit MemoryCurrent)
	high=$(unit MemoryHigh)
	[[ $now =~ ^[0-9]+$ ]] || { echo 'no memory controller here'; exit 77; }
	must [ "$now" -lt $((high / 2)) ]
	echo "memory $((now >> 20)) MiB of $((high >> 20))" >&3
}

reload()
{
	local pid

	pid=$(unit MainPID)
	must sed -i 's/^\[app.rules\]$/&\nour shop = shop.manage/' /etc/lmmsd/lmmsd.conf
	must systemctl reload lmmsd
	must grep -q 'the configuration was read again' <<<"$(journalctl -u lmmsd -o cat --no-pager)"
	shop
	until_true 60 has_runs 'our shop' 1
	echo 'nonsense' >>/etc/lmmsd/lmmsd.conf
	systemctl reload lmmsd
	must grep -q 'stays as it was: /etc/lmmsd/lmmsd.conf:' <<<"$(journalctl -u lmmsd -o cat --no-pager)"
	must sed -i '$d' /etc/lmmsd/lmmsd.conf
	is "$(unit MainPID)" "$pid" "the process after a reload"
}

restarted()
{
	[ "$(unit NRestarts)" = 1 ] && [ "$(unit ActiveState)" = active ] && [ "$(unit SubState)" = running ]
}

killed()
{
	local before pid

	pid=$(unit MainPID)
	before=$(runs 'our shop')
	must kill -9 "$pid"
	until_true 90 restarted
	must [ "$(unit MainPID)" != "$pid" ]
	must [ "$(runs 'our shop')" -ge "$before" ]
	shop
	until_true 60 has_runs 'our shop' $((before + 1))
}

upgrade()
{
	local before pid

	pid=$(unit MainPID)
	before=$(runs 'our shop')
	must dpkg -i new.deb
	is "$(dpkg-query -W -f '${Version}' lmmsd)" "$(dpkg-deb -f new.deb Version)" "the version"
	is "$(unit ActiveState)" active ActiveState
	must [ "$(unit MainPID)" != "$pid" ]
	must grep -q '^our shop' /etc/lmmsd/lmmsd.conf
	is "$(runs 'our shop')" "$before" "runs after the upgrade"
	shop
	until_true 60 has_runs 'our shop' $((before + 1))
}

# drop_in LINE...: what [Service] gets on top; without lines: nothing any more
drop_in()
{
	local d=/run/systemd/system/lmmsd.service.d

	rm -rf "$d"
	if [ $# -gt 0 ]; then
		mkdir -p "$d"
		printf '%s\n' '[Service]' "$@" >"$d/99-test.conf"
	fi
	systemctl daemon-reload
	systemctl reset-failed lmmsd.service lmmsd.socket 2>/dev/null
	systemctl restart lmmsd
}

# failed_with STATUS TEXT: failed, at once and for good, and the journal says why in one line
failed_with()
{
	is "$(unit ActiveState)" failed ActiveState
	is "$(unit ExecMainStatus)" "$1" "the exit status"
	is "$(unit NRestarts)" 0 "the number of restarts"
	is "$(systemctl show -P ActiveState lmmsd.socket)" inactive "the socket"
	is "$(journalctl -o cat --no-pager _SYSTEMD_INVOCATION_ID="$(unit InvocationID)" _COMM=lmmsd | grep -c "$2")" 1 "lines with '$2'"
}

no_btf()
{
	drop_in 'InaccessiblePaths=/sys/kernel/btf/vmlinux' && return 1
	failed_with 4 'no type information'
}

bad_config()
{
	echo 'nonsense = 1' >/run/bad.conf
	drop_in ExecStart= "ExecStart=/usr/bin/lmmsd --service --config /run/bad.conf" && return 1
	failed_with 2 '/run/bad.conf:1'
}

# Stopped, it does not feed the watchdog
hung()
{
	local pid

	must drop_in WatchdogSec=1s TimeoutAbortSec=1s
	pid=$(unit MainPID)
	must kill -STOP "$pid"
	until_true 60 restarted
	must [ "$(unit MainPID)" != "$pid" ]
	must grep -q 'Watchdog timeout' <<<"$(journalctl -u lmmsd -o cat --no-pager)"
}

# The process that reads modules' files: may do that and no more
reader()
{
	local pid

	pid=$(pgrep -P "$(unit MainPID)")
	is "$(awk '$1 ~ /^Cap(Inh|Prm|Eff|Amb)/ { printf "%s%s ", $1, $2 }' "/proc/$pid/status")" \
		"CapInh:0000000000000000 CapPrm:0000000000000004 CapEff:0000000000000004 CapAmb:0000000000000000 " "the reader's rights"
	is "$(awk '/^(NoNewPrivs|Seccomp):/ { printf "%s ", $2 }' "/proc/$pid/status")" "1 2 " "its NoNewPrivs, Seccomp"
}

# The lines of README, "Install"
scraped_from_elsewhere()
{
	local d=/run/systemd/system/lmmsd.socket.d

	must mkdir -p "$d"
	printf '%s\n' '[Socket]' ListenStream= ListenStream=9748 IPAddressDeny=any IPAddressAllow=127.0.0.0/8 >"$d/99-test.conf"
	must drop_in
	must curl -sS -f -m 20 -o /dev/null http://127.0.0.2:9748/metrics
	must rm -r "$d"
}

agent_reached()
{
	local agent

	# shellcheck disable=SC2016 # Python's
	python3 -I -c '
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("127.0.0.1", 25888))
s.settimeout(60)
print(s.recv(65536).decode())' >/run/agent &
	agent=$!
	must sed -i 's/^#interval_s = 60/interval_s = 1/' /etc/lmmsd/lmmsd.conf
	must drop_in PrivateNetwork=no 'RestrictAddressFamilies=AF_INET AF_INET6' IPAddressAllow=localhost \
		Environment=AWS_EMF_AGENT_ENDPOINT=udp://127.0.0.1:25888
	must wait "$agent"
	must grep -q '"_aws"' /run/agent
}

well_again()
{
	drop_in
	is "$(unit ActiveState)" active ActiveState
}

no_lmmsd()
{
	local left

	left=$(find / -xdev \( -path /vt -o -path /vt-job -o -path /out -o -path /proc -o -path /sys \) -prune -o -name '*lmmsd*' -print |
		grep -v -e ^/var/log/ -e ^/var/lib/dpkg/lock -e ^/run/systemd/units/)
	is "$left" "$1" "what is left"
}

remove()
{
	must dpkg -r lmmsd
	is "$(unit LoadState)" not-found LoadState
	is "$(pgrep -c -x lmmsd)" 0 "running lmmsd"
	must [ -s /var/lib/lmmsd/lmmsd.db ]
	must [ -f /etc/lmmsd/lmmsd.conf ]
}

purge()
{
	must dpkg -P lmmsd
	no_lmmsd ""
	is "$(getent passwd lmmsd; getent group lmmsd)" "" "the account"
	is "$(dpkg-query -W -f '${Status}' lmmsd 2>/dev/null)" "" "the state of the package"
}

step 'systemd runs' is "$(systemctl is-system-running)" running is-system-running
step 'installs, starts, is ready' install || exit 1
step 'has these rights and no others' rights
step 'sees and stores a run' seen
step 'a second process reads files, and may do no more' reader
step 'group members may ask, others not' group_only
step 'is scraped' scraped
step 'reloads' reload
step 'comes back after kill -9' killed
step 'an upgrade keeps settings and data' upgrade
if [ "$what" = all ]; then
	step "sees another user's Python" watched eve_runs sndhdr
	step 'sees a Python in another root' watched box_runs sched
	step 'CAP_BPF: nothing without it' needs_bpf
	step 'CAP_PERFMON: nothing without it' needs_perfmon
	step 'CAP_SYS_PTRACE: no other roots without it' needs_ptrace
	step 'CAP_DAC_READ_SEARCH: no private Pythons without it' needs_dac
	step 'no BTF: failed, for good, says why' no_btf
	step 'wrong settings: failed, for good, says why' bad_config
	step 'a hung daemon is started anew' hung
	step 'README: a scrape from elsewhere' scraped_from_elsewhere
	step 'README: the CloudWatch agent' agent_reached
	step 'well again' well_again
	step 'autopkgtest' bash ./smoke
else
	exec 3>&1
	step 'memory is far below its limit' memory
fi
step 'removed: data and settings stay' remove
step 'purged: nothing stays' purge
[ "$failed" = 0 ]
