package hugepage

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"unsafe"
)

func TestBytes(t *testing.T) {
	for _, n := range []int{0, 1, 4095, 4 << 20, 4<<20 - 1, 5<<20 + 3} {
		b := Bytes(n)
		if len(b) != n {
			t.Fatalf("%d bytes, want %d", len(b), n)
		}
		for i, x := range b {
			if x != 0 {
				t.Fatalf("byte %d of %d is %d", i, n, x)
			}
			b[i] = 1
		}
	}
}

// TestHuge looks for huge pages where the bytes are, on a system that has them for
// whoever asks.
func TestHuge(t *testing.T) {
	setting, err := os.ReadFile("/sys/kernel/mm/transparent_hugepage/enabled")
	if err != nil || strings.Contains(string(setting), "[never]") {
		t.Skipf("the system has none: %s, %v", setting, err)
	}
	b := Bytes(64 << 20)
	for i := 0; i < len(b); i += 4096 {
		b[i] = 1
	}
	at := uintptr(unsafe.Pointer(&b[len(b)/2]))
	f, err := os.Open("/proc/self/smaps")
	if err != nil {
		t.Skip(err)
	}
	defer f.Close()
	var lo, hi uintptr
	s := bufio.NewScanner(f)
	for s.Scan() {
		if n, _ := fmt.Sscanf(s.Text(), "%x-%x ", &lo, &hi); n == 2 {
			continue
		}
		if rest, ok := strings.CutPrefix(s.Text(), "AnonHugePages:"); ok && lo <= at && at < hi {
			kB, err := strconv.Atoi(strings.Fields(rest)[0])
			if err != nil || kB == 0 { // memory may be too fragmented for them
				t.Skipf("the system gave none: %s", s.Text())
			}
			t.Logf("%d of %d kB", kB, len(b)>>10)
			return
		}
	}
	t.Skip("the mapping is not listed")
}
