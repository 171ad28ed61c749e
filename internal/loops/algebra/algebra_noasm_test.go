//go:build !amd64 || purego

package algebra

func sets() []set { return nil }
