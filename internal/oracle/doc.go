// Package oracle compares the readers of checkpoint files with other people's.
// It is a module of its own so that theirs are no dependency of bitmod:
//
//	cd internal/oracle && go test ./...
package oracle
