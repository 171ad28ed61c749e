module github.com/bitmod-go/bitmod

go 1.26

require (
	github.com/google/go-cmp v0.7.0
	github.com/x448/float16 v0.8.4
	golang.org/x/sys v0.40.0
	golang.org/x/text v0.33.0
	gonum.org/v1/gonum v0.17.0
)
