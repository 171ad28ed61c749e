package apitest

import (
	"os"
	"regexp"
	"testing"

	"github.com/bitmod-go/bitmod/internal/release"
)

// The newest entry of the change log is the version that the code says it has, and
// a major version above 1 is in the module's path.
func TestVersion(t *testing.T) {
	log, err := os.ReadFile(root + "/CHANGELOG.md")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`(?m)^## v(\S+)`).FindSubmatch(log)
	if m == nil {
		t.Fatal("CHANGELOG.md has no version")
	}
	if got := string(m[1]); got != release.Version {
		t.Errorf("CHANGELOG.md begins with version %s; the code has %s", got, release.Version)
	}
	v := regexp.MustCompile(`^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z.-]+)?$`).FindStringSubmatch(release.Version)
	if v == nil {
		t.Fatalf("the version %s is not a semantic version", release.Version)
	}
	mod, err := os.ReadFile(root + "/go.mod")
	if err != nil {
		t.Fatal(err)
	}
	path := "github.com/bitmod-go/bitmod"
	if v[1] != "0" && v[1] != "1" {
		path += "/v" + v[1]
	}
	if !regexp.MustCompile(`(?m)^module ` + regexp.QuoteMeta(path) + `$`).Match(mod) {
		t.Errorf("version %s wants the module path %s", release.Version, path)
	}
}
