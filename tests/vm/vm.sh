# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
#
# shellcheck disable=SC2034,SC2154 # shared with the callers
#
# Sourced by run-vm and run-vm-arm64, after env/common.sh: the options, the initramfs, the job
# and the verdict.  The caller sets `label`, runs vm_options "$@", vm_prepare, its QEMU by
# vm_qemu, and ends with vm_verdict.

VM_USAGE='[-e NAME=VALUE]... [-o DIRECTORY] [-t SECONDS] [-a "KERNEL PARAMETERS"]'
TESTINIT=$REPO/tests/vm/testinit

# vm_options ARG...: sets environment[], out_dir, limit, append, extra_files[], rest[]
vm_options()
{
	local opt OPTIND OPTARG

	environment=() extra_files=() out_dir='' limit=120 append=''
	while getopts e:o:t:a:f: opt; do
		case $opt in
		e) environment+=("$OPTARG") ;;
		o) out_dir=$OPTARG ;;
		t) limit=$OPTARG ;;
		a) append=$OPTARG ;;
		f) extra_files+=("$(realpath -- "$OPTARG")") ;;
		*) exit 2 ;;
		esac
	done
	rest=("${@:OPTIND}")
}

# vm_prepare KERNEL-DIRECTORY BUSYBOX SCRIPT [ARG...]: makes $run with the initramfs and the job
vm_prepare()
{
	local kernel=$1 busybox=$2 script tree v

	script=$(realpath -- "$3") || die "no script $3"
	shift 3
	mkdir -p "$BUILD/vm/run"
	run=$(mktemp -d "$BUILD/vm/run/XXXXXX") || die "cannot write $BUILD/vm/run"
	case $run in *[[:space:]]*) die "a blank in $run: it must fit on a kernel's command line" ;; esac
	trap vm_cleanup EXIT
	trap 'exit 1' INT TERM HUP
	tree=$run/initramfs
	mkdir -p "$tree"/{bin,dev,proc,sys,mods,lower,rw,mnt}
	cp "$busybox" "$tree/bin/busybox"
	cp "$REPO/tests/vm/init" "$tree/init"
	cp "$kernel"/mods/*.ko "$tree/mods/"
	chmod 755 "$tree/init" "$tree/bin/busybox"
	(cd "$tree" && find . | cpio -o -H newc --quiet) >"$run/initramfs.cpio" || die "no initramfs"
	rm -rf "$tree"
	{
		for v in "${environment[@]}"; do
			printf 'export %s=%q\n' "${v%%=*}" "${v#*=}"
		done
		printf 'DIRECTORY=%q\n' "$REPO"
		[ -x "$script" ] || printf 'COMMAND=(bash %q' "$script"
		[ ! -x "$script" ] || printf 'COMMAND=(%q' "$script"
		[ $# = 0 ] || printf ' %q' "$@"
		printf ')\n'
	} >"$run/job"
	# no_timer_check: a busy host makes an emulated timer late, which newer kernels take for a broken one
	cmdline="panic=-1 oops=panic quiet no_timer_check vm.init=$TESTINIT vm.job=$run/job $append"
	drives=()
	: >"$run/result.log"
	: >"$run/console.log"
	started=$SECONDS
}

# vm_drive FILE [OPTIONS]: one more raw drive; they are /dev/vda, vdb, … in that order
vm_drive()
{
	drives+=(-drive "file=$1,format=raw,if=virtio${2:+,$2}")
}

# vm_out DEVICE: a drive for the files that the job leaves in $VM_OUT
vm_out()
{
	[ -n "$out_dir" ] || return 0
	truncate -s "${VM_OUT_SIZE:-256M}" "$run/out.raw"
	vm_drive "$run/out.raw"
	cmdline="$cmdline vm.out=$1"
}

# vm_qemu PROGRAM ARG...: KVM is never asked for: it may be there and hang
vm_qemu()
{
	timeout -k 5 "$limit" "$@" -accel tcg,thread=multi -m 1024 -no-reboot -display none \
		-monitor none -nic none "${drives[@]}" -kernel "$kernel_dir/vmlinuz" \
		-initrd "$run/initramfs.cpio" -append "$cmdline" </dev/null >"$run/qemu.log" 2>&1 &
	qemu_pid=$!
	# in the background, so that a signal ends the wait and vm_cleanup the machine
	wait "$qemu_pid"
	qemu_rc=$?
	qemu_pid=
}

vm_cleanup()
{
	local pid

	for pid in ${qemu_pid:-} ${virtiofsd_pid:-}; do
		kill "$pid" 2>/dev/null
	done
	wait
	rm -rf "${run:?}"
}

# vm_verdict: what the job printed, then one line PASS, FAIL or SKIP; exits
vm_verdict()
{
	local last rc reason took=$((SECONDS - started))

	tr -d '\r' <"$run/result.log" >"$run/result.txt"
	last=$(grep -v '^$' "$run/result.txt" | tail -n 1)
	rc=
	case $last in
	"rc "[0-9]*)
		rc=${last#rc }
		sed '$d' "$run/result.txt" | sed '${/^$/d}'
		;;
	*)
		cat "$run/result.txt"
		;;
	esac
	if [ -n "$out_dir" ] && [ -n "$rc" ]; then
		mkdir -p "$out_dir" && tar -x -f "$run/out.raw" -C "$out_dir" || rc=70
	fi
	case $rc in
	0)
		echo "PASS $label: $took s"
		exit 0
		;;
	77)
		reason=$(sed -n 's/^SKIP //p' "$run/result.txt" | tail -n 1)
		echo "SKIP $label: ${reason:-the job said so}"
		exit 77
		;;
	'')
		reason="ended without a result"
		[ "$qemu_rc" != 124 ] && [ "$qemu_rc" != 137 ] || reason="no result within $limit s"
		[ "$qemu_rc" = 0 ] || reason="$reason, QEMU's status $qemu_rc"
		;;
	*)
		reason="status $rc"
		;;
	esac
	{
		echo "--- console of $label, last lines"
		tr -d '\r' <"$run/console.log" | tail -n 40
		[ ! -s "$run/qemu.log" ] || tail -n 5 "$run/qemu.log"
		echo "---"
	} >&2
	echo "FAIL $label: $reason, $took s"
	exit 1
}
