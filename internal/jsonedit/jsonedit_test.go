package jsonedit

import (
	"encoding/json"
	"strings"
	"testing"
)

const config = `{
  "a": 1e-05,
  "big": 12345678901234567890123,
  "inf": [0.0, Infinity],
  "nested": {"b": "}\",{", "c": [1, {"d": null}]},
  "\u0061b": "x"
}
`

func TestSet(t *testing.T) {
	for _, c := range []struct{ text, key, value, want string }{
		{config, "a", "2", strings.Replace(config, "1e-05", "2", 1)},
		{config, "ab", "3", strings.Replace(config, `"x"`, "3", 1)},
		{config, "z", `{"q":[1]}`, strings.Replace(config, "\"x\"\n", "\"x\",\n  \"z\": {\n    \"q\": [\n      1\n    ]\n  }\n", 1)},
		{`{}`, "z", "1", `{"z": 1}`},
		{` {  } `, "z", "1", ` {"z": 1  } `},
		{`{"a":1}`, "z", `{"q":1}`, `{"a":1,"z": {"q":1}}`},
		{`{"a":1,"b":2}`, "z", `3`, `{"a":1,"b":2, "z": 3}`},
		{`{"a":1,"b":2,"a":3}`, "a", `4`, `{"b":2,"a":4}`},
	} {
		got, err := Set([]byte(c.text), c.key, []byte(c.value))
		if err != nil || string(got) != c.want {
			t.Errorf("%s with %s: %s\n got %s, %v\nwant %s", c.text, c.key, c.value, got, err, c.want)
		}
	}
}

func TestDelete(t *testing.T) {
	for _, c := range []struct{ text, key, want string }{
		{config, "nope", config},
		{config, "a", strings.Replace(config, "\"a\": 1e-05,\n  ", "", 1)},
		{config, "ab", strings.Replace(config, ",\n  \"\\u0061b\": \"x\"", "", 1)},
		{`{"a":1}`, "a", `{}`},
		{`{"a":1,"b":2,"a":3}`, "a", `{"b":2}`},
		{`{"a":1,"a":3}`, "a", `{}`},
	} {
		if got, err := Delete([]byte(c.text), c.key); err != nil || string(got) != c.want {
			t.Errorf("%s without %s\n got %s, %v\nwant %s", c.text, c.key, got, err, c.want)
		}
	}
}

func TestMembers(t *testing.T) {
	ms, err := Members([]byte(config))
	if err != nil || len(ms) != 5 || string(ms[2].Value) != "[0.0, Infinity]" || ms[4].Key != "ab" {
		t.Errorf("%v, %v", ms, err)
	}
	for cut := range strings.TrimSpace(config) {
		if ms, err := Members([]byte(config[:cut])); err == nil {
			t.Errorf("cut at %d: %v", cut, ms)
		}
	}
	for _, text := range []string{`[]`, `{"a"}`, `{"a":}`, `{"a":1,}`, `{"a":[}]}`, `{"a":1}}`, `{"a":1} x`, `{a:1}`, "{\"\x01\":1}", `{"a":1 "b":2`} {
		if ms, err := Members([]byte(text)); err == nil {
			t.Errorf("%s: %v", text, ms)
		}
	}
}

// FuzzEdit sets and deletes a member: what is accepted stays acceptable, the
// member is there and gone, and the others are as they were. JSON stays JSON.
func FuzzEdit(f *testing.F) {
	f.Add([]byte(config), "a")
	f.Add([]byte(`{"a":1,"b":2,"a":[]}`), "c")
	f.Fuzz(func(t *testing.T, text []byte, key string) {
		key = strings.ToValidUTF8(key, "?")
		before, err := Members(text)
		if err != nil {
			if json.Valid(text) && strings.HasPrefix(strings.TrimSpace(string(text)), "{") {
				t.Fatalf("valid, but %v", err)
			}
			return
		}
		set, err := Set(text, key, []byte(`{"x": "y"}`))
		if err != nil {
			t.Fatal(err)
		}
		if json.Valid(text) && !json.Valid(set) {
			t.Fatalf("%q becomes %q", text, set)
		}
		deleted, err := Delete(set, key)
		if err != nil {
			t.Fatal(err)
		}
		if json.Valid(text) && !json.Valid(deleted) {
			t.Fatalf("%q becomes %q", set, deleted)
		}
		after, err := Members(deleted)
		if err != nil {
			t.Fatal(err)
		}
		i := 0
		for _, m := range before {
			if m.Key == key {
				continue
			}
			if i == len(after) || after[i].Key != m.Key || string(after[i].Value) != string(m.Value) {
				t.Fatalf("%q without %q is %q", text, key, deleted)
			}
			i++
		}
		if i != len(after) {
			t.Fatalf("%q without %q is %q", text, key, deleted)
		}
	})
}
