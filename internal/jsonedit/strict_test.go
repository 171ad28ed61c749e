package jsonedit

import "testing"

func TestStrict(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{`{"a": [NaN, -Infinity,Infinity], "b": -1}`, `{"a": [null, null,null], "b": -1}`},
		{`{"NaN": "Infinity \" NaN \\", "c": NaN}`, `{"NaN": "Infinity \" NaN \\", "c": null}`},
		{`{"a": 1}`, `{"a": 1}`},
		{`NaN`, `null`},
		{`"a\`, `"a\`},
		{``, ``},
	} {
		if got := string(Strict([]byte(c.text))); got != c.want {
			t.Errorf("Strict(%s) is %s, want %s", c.text, got, c.want)
		}
	}
}
