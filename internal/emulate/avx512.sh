#!/usr/bin/env bash
# Runs the tests of package kernel on an emulated CPU with AVX-512, for machines
# that have none, and neither has qemu:
#
#	internal/emulate/avx512.sh -test.short '-test.run=TestConformance/types/^(bitmod3|bitmod4)$'
#
# Bochs emulates an Ice Lake that boots Debian's kernel from a CD and runs the
# test binary as all there is. This takes a minute, then everything is about 100
# times slower than on the host. It needs Debian 12 with
#
#	apt-get install bochs isolinux xorriso cpio
#
# and downloads the kernel by apt-get.
set -euo pipefail
repo=$(cd "$(dirname "$0")/../.." && pwd)
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"

# nogreenteagc: Bochs 2.7 does not get the AVX-512 of Go's garbage collector right.
mkdir fs iso deb
export CGO_ENABLED=0 GOARCH=amd64 GOOS=linux
GOEXPERIMENT=nogreenteagc go -C "$repo" test -c -o "$dir/fs/test" ./kernel
go -C "$repo" build -o "$dir/fs/init" ./internal/emulate/init
printf '%s\n' "$@" >fs/args
(cd fs && find . | cpio --quiet -o -H newc) >iso/initrd

image=$(apt-cache depends linux-image-cloud-amd64 | sed -n 's/^ *Depends: //p' | head -n 1)
(cd deb && apt-get -qq -o APT::Sandbox::User=root download "$image" && dpkg-deb -x ./*.deb .)
cp deb/boot/vmlinuz-* iso/vmlinuz
cp /usr/lib/ISOLINUX/isolinux.bin /usr/lib/syslinux/modules/bios/ldlinux.c32 iso
# The features that are cleared are those that Bochs 2.7 has only in part, so that
# Linux would trip over them or switch all of XSAVE, and AVX with it, off.
cat >iso/isolinux.cfg <<-END
	default linux
	label linux
	kernel /vmlinuz
	append initrd=/initrd console=ttyS0 loglevel=4 panic=-1 mitigations=off nopku clearcpuid=fsrm,pku,xsaves,xsavec,umip
END
xorriso -as mkisofs -quiet -o cd.iso -b isolinux.bin -c boot.cat \
	-no-emul-boot -boot-load-size 4 -boot-info-table iso 2>/dev/null

cat >bochsrc <<-END
	display_library: rfb, options="timeout=0"
	config_interface: textconfig
	cpu: model=corei7_icelake_u, ips=100000000
	clock: sync=none
	memory: guest=512, host=512
	romimage: file=/usr/share/bochs/BIOS-bochs-latest
	vgaromimage: file=/usr/share/bochs/VGABIOS-lgpl-latest
	ata0-master: type=cdrom, path=cd.iso, status=inserted
	boot: cdrom
	com1: enabled=1, mode=file, dev=serial
	log: log
	panic: action=fatal
END
echo c >debugger # "continue": Debian's Bochs starts in its debugger
mkfifo never
timeout "${TIMEOUT:-3600}" bochs -q -f bochsrc -rc debugger <>never >bochs.out 2>&1 || true
tr -d '\r' <serial
grep -q '^PASS' serial
