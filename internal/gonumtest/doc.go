// Package gonumtest has the tests that compare with gonum. They are apart from what they
// test so that gonum is not in the go.sum of those who import the library: go mod tidy
// lists what the tests of imported packages import.
package gonumtest
