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

# until_true COMMAND...: there is nothing to wait for but the answer itself. Turns are counted, not seconds: a slow or busy
# machine has as many.
until_true()
{
	local turns=400

	while ! "$@"; do
		turns=$((turns - 1))
		if [ "$turns" = 0 ]; then
			echo "it did not come: $*"
			journal -u lmmsd -n 15
			exit 1
		fi
		sleep 0.2 # lint: allow(sleeps) a bounded poll
	done
}

# journal WHAT...: its lines, those that journald has not yet written included
journal()
{
	must journalctl --sync
	journalctl -o cat --no-pager "$@"
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
	until_true has_runs shop/manage.py 1
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
	until_true grep -q up /run/up
	must drop_in "$@"
	exec 9>&-
	must wait "$pid"
}

watched()
{
	held "$1" "$2"
	until_true lists 'python -c' "$2"
}

# unwatched RUNNER MODULE LINE...: not seen, though what runs after it is
unwatched()
{
	local n

	held "$@"
	n=$(runs 'our shop')
	shop
	until_true has_runs 'our shop' $((n + 1))
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
	must curl -sS -f -m 120 -o /run/metrics http://127.0.0.1:9748/metrics
	must grep -q '^lmmsd_build_info{' /run/metrics
	must grep -q '^lmmsd_runs_total{app="shop/manage.py"} [1-9]' /run/metrics
	must grep -q '^lmmsd_bpf_run_seconds_total 0*[.]*0*[1-9]' /run/metrics
	must grep -q '^lmmsd_overhead_ratio ' /run/metrics
	must grep -q '^lmmsd_overhead_budget_ratio 0.01$' /run/metrics
	is "$(ss -Hltnp 'sport = 9748' 2>/dev/null | grep -c '127.0.0.1:9748')" 1 "listeners on 127.0.0.1:9748"
	must grep -q '"lmms.review/1"' <<<"$(curl -sS -f -m 120 http://127.0.0.1:9748/api/v1/review)"
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
	must grep -q 'the configuration was read again' <<<"$(journal -u lmmsd)"
	shop
	until_true has_runs 'our shop' 1
	echo 'nonsense' >>/etc/lmmsd/lmmsd.conf
	systemctl reload lmmsd
	must grep -q 'stays as it was: /etc/lmmsd/lmmsd.conf:' <<<"$(journal -u lmmsd)"
	must sed -i '$d' /etc/lmmsd/lmmsd.conf
	is "$(unit MainPID)" "$pid" "the process after a reload"
}

# restarted PID: after it another one runs. How often that took is for the machine to say: one that starves the daemon makes
# the watchdog kill it again
restarted()
{
	[ "$(unit MainPID)" != "$1" ] && [ "$(unit NRestarts)" != 0 ] && [ "$(unit ActiveState)" = active ] &&
		[ "$(unit SubState)" = running ]
}

killed()
{
	local before pid

	pid=$(unit MainPID)
	before=$(runs 'our shop')
	must kill -9 "$pid"
	until_true restarted "$pid"
	must [ "$(runs 'our shop')" -ge "$before" ]
	shop
	until_true has_runs 'our shop' $((before + 1))
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
	until_true has_runs 'our shop' $((before + 1))
}

# drop_in LINE...: what [Service] gets on top; without lines: nothing any more. What is said from here on is behind $cursor
drop_in()
{
	local d=/run/systemd/system/lmmsd.service.d

	cursor=$(journal -n 1 --show-cursor | sed -n 's/^-- cursor: //p')
	rm -rf "$d"
	if [ $# -gt 0 ]; then
		mkdir -p "$d"
		printf '%s\n' '[Service]' "$@" >"$d/99-test.conf"
	fi
	systemctl daemon-reload
	systemctl reset-failed lmmsd.service lmmsd.socket 2>/dev/null
	systemctl restart lmmsd
}

socket_is()
{
	[ "$(systemctl show -P ActiveState lmmsd.socket)" = "$1" ]
}

# failed_with STATUS TEXT: failed, at once and for good, and the journal says why in one line
failed_with()
{
	is "$(unit ActiveState)" failed ActiveState
	is "$(unit ExecMainStatus)" "$1" "the exit status"
	is "$(unit Result)" exit-code "the result"
	until_true socket_is inactive # it is stopped behind the service
	# of a process that is gone at once journald may know neither unit nor program
	is "$(journal --after-cursor="$cursor" | grep -c "^lmmsd: .*$2")" 1 "lines with '$2'"
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
	until_true restarted "$pid"
	must grep -q 'Watchdog timeout' <<<"$(journal -u lmmsd)"
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
	must curl -sS -f -m 120 -o /dev/null http://127.0.0.2:9748/metrics
	must rm -r "$d"
}

agent_reached()
{
	local agent

	# shellcheck disable=SC2016 # Python's
	python3 -I -c '
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_STREAM if sys.argv[1] == "tcp" else socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("127.0.0.1", 25888))
if sys.argv[1] == "tcp":
    s.listen()
s.settimeout(600)
if sys.argv[1] == "tcp":
    s = s.accept()[0]
print(s.recv(65536).decode())' "$1" >/run/agent &
	agent=$!
	must sed -i 's/^#interval_s = 60/interval_s = 1/' /etc/lmmsd/lmmsd.conf
	must drop_in PrivateNetwork=no 'RestrictAddressFamilies=AF_INET AF_INET6' IPAddressAllow=localhost \
		"Environment=AWS_EMF_AGENT_ENDPOINT=$1://127.0.0.1:25888"
	must wait "$agent"
	must grep -q '"_aws"' /run/agent
	must systemd-analyze security --no-pager --threshold=20 lmmsd.service
}

textfile_written()
{
	must mkdir /srv/node
	must chgrp lmmsd /srv/node
	must chmod g+w /srv/node
	must drop_in ReadWritePaths=/srv/node ExecStart= 'ExecStart=/usr/bin/lmmsd --service --textfile.path /srv/node/lmmsd.prom'
	until_true grep -q '^lmmsd_build_info{' /srv/node/lmmsd.prom
}

# one_line TEXT...: all of it stands in one line that this start said, once
one_line()
{
	local lines part

	lines=$(journal _SYSTEMD_INVOCATION_ID="$(unit InvocationID)" _COMM=lmmsd)
	for part; do
		lines=$(grep -F -- "$part" <<<"$lines")
	done
	is "$(grep -c . <<<"$lines")" 1 "the number of lines with '$*'"
	echo "$lines"
}

said()
{
	(one_line "$@" >/dev/null 2>&1)
}

# What goes wrong with the port or the certificate costs the page, not the observation
goes_on()
{
	local n

	is "$(unit ActiveState)" active ActiveState
	until_true said "$@" 'the observation goes on'
	n=$(runs 'our shop')
	shop
	until_true has_runs 'our shop' $((n + 1))
	must one_line "$@" 'the observation goes on'
}

port_taken()
{
	local other

	must systemctl stop lmmsd.service lmmsd.socket
	python3 -I -m http.server --bind 127.0.0.1 9748 >/dev/null 2>&1 &
	other=$!
	until_true curl -s -o /dev/null -m 5 http://127.0.0.1:9748/
	must drop_in
	goes_on 'cannot listen on' '127.0.0.1:9748' 'systemctl status lmmsd.socket'
	# not -u: a short process of systemd's says it, and may be gone before journald can tell whose it is
	must grep -q '^lmmsd.socket: .*Address already in use' <<<"$(journal -b)"
	kill "$other"
	wait "$other"
	must drop_in
	must curl -sS -f -m 120 -o /dev/null http://127.0.0.1:9748/metrics
}

certificate_wrong()
{
	printf 'tls_server_config:\n  cert_file: none.crt\n  key_file: none.key\n' >/etc/lmmsd/web.yml
	must drop_in ExecStart= 'ExecStart=/usr/bin/lmmsd --service --web.config.file /etc/lmmsd/web.yml'
	goes_on /etc/lmmsd/none.crt 'No such file'
	must rm /etc/lmmsd/web.yml
}

prometheus_away()
{
	lmmsctl review --prometheus http://127.0.0.1:9 >/run/out 2>/run/err
	is $? 5 "the status"
	is "$(wc -l </run/err):$(wc -c </run/out)" 1:0 "lines and report"
	must grep -q '127.0.0.1' /run/err
	cat /run/err
}

# What someone sees who looks after it
looked_at()
{
	# how many were lost is for the host to say, whose programs use the same ring
	must grep -q 'interpreters; .* runs stored, .* lost' <<<"$(systemctl status lmmsd --no-pager)"
	must curl -sS -f -m 120 -o /run/page http://127.0.0.1:9748/
	must grep -q '[Ll]ost since the start' /run/page
	must grep -q 'of this host.s processors' /run/page
	must grep -q shop/manage.py /run/page
	is "$(journal -p warning _SYSTEMD_INVOCATION_ID="$(unit InvocationID)" | wc -l)" 0 "warnings"
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
step 'status, journal and page say how it is' looked_at
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
	step 'README: the CloudWatch agent, tcp' agent_reached tcp
	step 'README: the CloudWatch agent, udp' agent_reached udp
	step 'README: a file for node_exporter' textfile_written
	step 'port taken: one line, and it goes on' port_taken
	step 'a certificate is missing: one line, and it goes on' certificate_wrong
	step 'Prometheus is away: one line' prometheus_away
	step 'well again' well_again
	step 'autopkgtest' bash ./smoke
else
	exec 3>&1
	step 'memory is far below its limit' memory
fi
step 'removed: data and settings stay' remove
step 'purged: nothing stays' purge
[ "$failed" = 0 ]
