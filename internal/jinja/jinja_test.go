package jinja

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// judged is what testdata/judge.py writes: the texts, or kinds of errors, that
// transformers makes of templates and conversations.
type judged struct {
	Now           string                     `json:"now"`
	Conversations map[string]json.RawMessage `json:"conversations"`
	Templates     []struct {
		Name  string `json:"name"`
		Cases map[string]struct {
			Want  *string `json:"want"`
			Error string  `json:"error"`
		} `json:"cases"`
	} `json:"templates"`
	Errors map[string]string `json:"errors"` // by template
}

// variables are those of a conversation.
func (j *judged) variables(t testing.TB, conversation string) map[string]any {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(string(j.Conversations[conversation])))
	d.UseNumber()
	v, err := ordered(d)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]any{"bos_token": "<s>", "eos_token": "</s>", "add_generation_prompt": true, "tools": nil, "documents": nil}
	dict := v.(*Dict)
	for i, k := range dict.keys {
		all[k.(string)] = dict.values[i]
	}
	return all
}

// ordered decodes JSON with the keys of objects in their order.
func ordered(d *json.Decoder) (any, error) {
	t, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch t {
	case json.Delim('{'):
		var pairs []any
		for d.More() {
			for range 2 {
				v, err := ordered(d)
				if err != nil {
					return nil, err
				}
				pairs = append(pairs, v)
			}
		}
		_, err := d.Token()
		return NewDict(pairs...), err
	case json.Delim('['):
		items := []any{}
		for d.More() {
			v, err := ordered(d)
			if err != nil {
				return nil, err
			}
			items = append(items, v)
		}
		_, err := d.Token()
		return items, err
	}
	return t, nil
}

func readJudged(t testing.TB, folder string) (j judged, now time.Time) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(folder, "judged.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &j); err != nil {
		t.Fatal(err)
	}
	if now, err = time.Parse(time.DateTime, j.Now); err != nil {
		t.Fatal(err)
	}
	return j, now
}

func render(source string, variables map[string]any, now time.Time) (string, error) {
	t, err := Parse(source)
	if err != nil {
		return "", err
	}
	return t.Render(variables, now)
}

// checkError compares an error with that of Python, of which the text counts only where the
// template raises it.
func checkError(t *testing.T, name string, err error, want string) {
	t.Helper()
	text, raised := strings.CutPrefix(want, "TemplateError: ")
	e := (*Error)(nil)
	if !errors.As(err, &e) || e.Raised != raised || raised && e.Text != text {
		t.Errorf("%s: error %v, want %s", name, err, want)
	}
}

// judge compares all cases of a folder.
func judge(t *testing.T, folder string) {
	j, now := readJudged(t, folder)
	cases, failures := 0, 0
	for _, x := range j.Templates {
		source, err := os.ReadFile(filepath.Join(folder, x.Name))
		if err != nil {
			t.Fatal(err)
		}
		for name, c := range x.Cases {
			cases++
			label := x.Name + ", " + name
			got, err := render(string(source), j.variables(t, name), now)
			switch {
			case c.Want == nil:
				failures++
				checkError(t, label, err, c.Error)
			case err != nil:
				t.Errorf("%s: %v", label, err)
			case got != *c.Want:
				i := 0
				for i < min(len(got), len(*c.Want)) && got[i] == (*c.Want)[i] {
					i++
				}
				i = max(0, i-20)
				t.Errorf("%s: …%.100q, want …%.100q", label, got[i:], (*c.Want)[i:])
			}
		}
	}
	if cases == 0 {
		t.Error("no cases")
	}
	t.Logf("%d templates, %d cases, of which %d are errors", len(j.Templates), cases, failures)
}

func TestTemplates(t *testing.T) { judge(t, "testdata/templates") }

// BITMOD_TEMPLATES names a folder of published templates with what testdata/judge.py made
// of them.
func TestPublished(t *testing.T) {
	folder := os.Getenv("BITMOD_TEMPLATES")
	if folder == "" {
		t.Skip("BITMOD_TEMPLATES does not say where published templates are")
	}
	judge(t, folder)
}

func TestErrors(t *testing.T) {
	j, now := readJudged(t, "testdata/templates")
	if len(j.Errors) < 30 {
		t.Errorf("%d templates that fail", len(j.Errors))
	}
	for source, want := range j.Errors {
		text, err := render(source, j.variables(t, "user"), now)
		if err == nil {
			t.Errorf("%s: text %q, want the error %s", source, text, want)
			continue
		}
		checkError(t, source, err, want)
	}
	_, err := render("a\n{% if true %}\n{{ 1 + 'x' }}{% endif %}", nil, now)
	if err == nil || !strings.HasPrefix(err.Error(), "line 3: ") {
		t.Errorf("error %v, want one of line 3", err)
	}
}

// What Go programs have is what templates see.
func TestVariables(t *testing.T) {
	type name string
	got, err := render("{{ a }} {{ b }} {{ c }} {{ d }} {{ e }} {{ f }}", map[string]any{
		"a": []string{"x"}, "b": map[string]any{"k": 1, "a": nil}, "c": json.Number("1.5"), "d": json.Number("7"),
		"e": []map[string]any{{"r": true}}, "f": NewDict("z", 1, "y", []any{}),
	}, time.Time{})
	if want := "['x'] {'a': None, 'k': 1} 1.5 7 [{'r': True}] {'z': 1, 'y': []}"; got != want || err != nil {
		t.Errorf("%s, %v, want %s", got, err, want)
	}
	for _, bad := range []any{make(chan int), name("x"), []any{struct{}{}}} {
		if _, err := render("", map[string]any{"x": bad}, time.Time{}); err == nil {
			t.Errorf("a %T as a variable: no error", bad)
		}
	}
}

// Templates that would take for ever, or all memory or stack, end with an error.
func TestBounds(t *testing.T) {
	nested := func(before, middle, after string, n int) string {
		return strings.Repeat(before, n) + middle + strings.Repeat(after, n)
	}
	for name, source := range map[string]string{
		"loops":               nested("{% for i in range(100000) %}", "x", "{% endfor %}", 5),
		"loops without text":  nested("{% for i in range(100000) %}", "", "{% endfor %}", 3),
		"doubled text":        "{% set n = namespace(x='ab') %}{% for i in range(99) %}{% set n.x = n.x + n.x %}{% endfor %}",
		"doubled list":        "{% set n = namespace(x=[1]) %}{% for i in range(99) %}{% set n.x = n.x + n.x %}{% endfor %}",
		"doubled join":        "{% set n = namespace(x='ab') %}{% for i in range(99) %}{% set n.x = [n.x, n.x] | join %}{% endfor %}",
		"shared list":         "{% set n = namespace(x=[1]) %}{% for i in range(60) %}{% set n.x = [n.x, n.x] %}{% endfor %}{{ n.x }}",
		"equal shared lists":  "{% set n = namespace(x=[1], y=[1]) %}{% for i in range(60) %}{% set n.x = [n.x, n.x] %}{% set n.y = [n.y, n.y] %}{% endfor %}{{ n.x == n.y }}",
		"JSON of shared list": "{% set n = namespace(x=[1]) %}{% for i in range(60) %}{% set n.x = [n.x, n.x] %}{% endfor %}{{ n.x | tojson }}",
		"deep list":           "{% set n = namespace(x=[1]) %}{% for i in range(99999) %}{% set n.x = [n.x] %}{% endfor %}{{ n.x }}",
		"deep JSON":           "{% set n = namespace(x=[1]) %}{% for i in range(99999) %}{% set n.x = [n.x] %}{% endfor %}{{ n.x | tojson }}",
		"deep order":          "{% set n = namespace(x=[1], y=[2]) %}{% for i in range(99999) %}{% set n.x = [n.x] %}{% set n.y = [n.y] %}{% endfor %}{{ n.x < n.y }}",
		"macro":               "{% macro f(x) %}{{ f(x) }}{% endmacro %}{{ f(1) }}",
		"macros":              "{% macro f(x) %}{{ g(x) }}{% endmacro %}{% macro g(x) %}{{ f(x) }}{% endmacro %}{{ f(1) }}",
		"macro twice":         "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(45) }}",
		"callers":             "{% macro f() %}{% call f() %}{{ caller() }}{% endcall %}{% endmacro %}{{ f() }}",
		"default":             "{% macro f(x=f()) %}{% endmacro %}{{ f() }}",
		"recursive loop":      "{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}",
		"repeated text":       "{{ 'x' * 999999999999 }}",
		"repeated list":       "{{ [0, 1] * 999999999999 }}",
		"width":               "{{ '%999999999d' % 1 }}",
		"zeros":               "{{ 'x'.zfill(999999999999) }}",
		"indent":              "{{ 'a\nb' | indent(999999999999) }}",
		"JSON's indent":       "{{ [1] | tojson(indent=999999999999) }}",
		"replacement":         "{% set x = 'a' * 100000 %}{{ x.replace('a', x) }}",
		"replacement of ''":   "{% set x = 'a' * 100000 %}{{ x.replace('', x) }}",
		"joined":              "{% set x = 'a' * 100000 %}{{ x.join(x) }}",
		"power":               "{{ 9 ** 9 ** 9 }}",
		"sum":                 "{{ 9223372036854775807 + 1 }}",
		"parentheses":         nested("{{", "(", "", 1) + nested("(", "1", ")", 100000) + ")}}",
		"lists":               "{{ " + nested("[", "1", "]", 100000) + " }}",
		"nots":                "{{ " + strings.Repeat("not ", 100000) + "1 }}",
		"signs":               "{{ " + strings.Repeat("- ", 100000) + "1 }}",
		"sums":                "{{ 1" + strings.Repeat(" + 1", 100000) + " }}",
		"conditions":          "{{ 1" + strings.Repeat(" if 1 else 1", 100000) + " }}",
		"conditions in a row": "{{ 1" + strings.Repeat(" if 1", 100000) + " }}",
		"attributes":          "{{ a" + strings.Repeat(".a", 100000) + " }}",
		"filters":             "{{ 1" + strings.Repeat("|d", 100000) + " }}",
		"blocks":              nested("{% if 1 %}", "", "{% endif %}", 20000),
		"ifs":                 "{% if 0 %}" + strings.Repeat("{% elif nope.x %}", 50000) + "{% endif %}",
		"length":              strings.Repeat("x", maxTemplate+1),
		"unending":            "{% raw %}" + strings.Repeat("{% ", 200000),
	} {
		if text, err := render(source, nil, time.Time{}); err == nil {
			t.Errorf("%s: %d bytes of text, no error", name, len(text))
		}
	}
	deep := any("x")
	for range 1000 {
		deep = []any{deep}
	}
	if _, err := render("", map[string]any{"x": deep}, time.Time{}); err == nil {
		t.Error("a deep variable: no error")
	}
}

// No template panics, or makes more text than the budget, and each always gives the same.
func FuzzRender(f *testing.F) {
	files, err := filepath.Glob("testdata/templates/*.jinja")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(data), "Hello")
		for line := range strings.Lines(string(data)) {
			f.Add(line, "Hello")
		}
	}
	j, now := readJudged(f, "testdata/templates")
	for source := range j.Errors {
		f.Add(source, "x")
	}
	f.Fuzz(func(t *testing.T, source, content string) {
		template, err := Parse(source)
		if err != nil {
			return
		}
		variables := map[string]any{"messages": []any{NewDict("role", "user", "content", content)}, "add_generation_prompt": true, "tools": nil}
		text, err := template.Render(variables, now)
		if len(text) > budget {
			t.Errorf("%d bytes of text", len(text))
		}
		again, err2 := template.Render(variables, now)
		if text != again || (err == nil) != (err2 == nil) {
			t.Errorf("first %q, %v, then %q, %v", text, err, again, err2)
		}
	})
}
