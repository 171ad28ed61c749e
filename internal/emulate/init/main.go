//go:build linux

// Init is the first process of the emulated machine of avx512.sh: it runs /test
// with the arguments in /args, one a line, and switches the machine off.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

func main() {
	if err := run(); err != nil {
		fmt.Println("init:", err)
	}
	time.Sleep(time.Second) // of the machine's time, for the serial port
	if err := syscall.Reboot(syscall.LINUX_REBOOT_CMD_POWER_OFF); err != nil {
		fmt.Println("init:", err)
	}
}

func run() error {
	for _, fs := range []struct{ dir, typ string }{{"/proc", "proc"}, {"/dev", "devtmpfs"}, {"/tmp", "tmpfs"}} {
		if err := os.MkdirAll(fs.dir, 0o755); err != nil {
			return err
		}
		if err := syscall.Mount(fs.typ, fs.dir, fs.typ, 0, ""); err != nil {
			return fmt.Errorf("mounting %s: %w", fs.dir, err)
		}
	}
	port, err := os.OpenFile("/dev/ttyS0", os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	os.Stdout = port
	args, err := os.ReadFile("/args")
	if err != nil {
		return err
	}
	c := exec.Command("/test", strings.Split(strings.TrimSuffix(string(args), "\n"), "\n")...)
	c.Env = []string{"CI=true", "TMPDIR=/tmp", "HOME=/tmp"}
	c.Stdout, c.Stderr = port, port
	return c.Run()
}
