#!/usr/bin/env bash
# Runs tests on Windows as Wine emulates it. The arguments are those of go test:
#
#	internal/emulate/windows.sh -v ./internal/atomicfile
#
# It needs Wine 8 or later, and binutils for Windows. On Debian:
#
#	apt-get install --no-install-recommends wine wine64 binutils-mingw-w64-x86-64
set -euo pipefail
cd "$(dirname "$0")/../.."
dir=$(mktemp -d)
export WINEPREFIX=$dir/prefix WINEDEBUG=-all WINEDLLOVERRIDES='mscoree=;mshtml='
trap 'wineserver -k || true; wineserver -w || true; rm -rf "$dir"' EXIT

wineboot -i >"$dir/log" 2>&1 || { cat "$dir/log"; exit 1; }
system=$WINEPREFIX/drive_c/windows/system32
[ -e "$system/bcryptprimitives.dll" ] ||
	x86_64-w64-mingw32-ld -shared --entry=0 -o "$system/bcryptprimitives.dll" internal/emulate/bcryptprimitives.def

# Wine 8 lacks the system call by which Go deletes files, and the error is not the one
# that makes Go take the way for older Windows. Go's tests have a switch for that.
file=$(go env GOROOT)/src/internal/syscall/windows/at_windows.go
sed 's/^var TestDeleteatFallback bool$/var TestDeleteatFallback = true/' "$file" >"$dir/at_windows.go"
if cmp -s "$file" "$dir/at_windows.go"; then
	echo "$file has no TestDeleteatFallback any more"
	exit 1
fi
printf '{"Replace": {"%s": "%s"}}' "$file" "$dir/at_windows.go" >"$dir/overlay.json"
GOOS=windows GOARCH=amd64 go test -overlay "$dir/overlay.json" -exec wine "$@"
