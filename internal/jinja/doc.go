// Package jinja renders chat templates. A chat template describes the text that a model
// expects for a conversation, in the language of Python's package Jinja2; it is in the
// model's tokenizer_config.json.
//
// A template gives the text that transformers' apply_chat_template gives, or an error
// where that raises one. Features that templates of models do not use are errors:
// inheritance, imports, and methods that change a list or a dictionary.
//
// Templates come from strangers. A template is at most 1 MiB long and its blocks and
// expressions nest at most 100 deep; a rendering has a budget that every operation
// draws on for the time and the memory that it takes; calls of macros nest at most 50
// deep. Anything beyond these limits is an error.
//
// A template goes through these stages, a file or two for each:
//
//   - the lexer splits it into text and tags, and tags into tokens (lex.go);
//   - the parser turns tokens into nodes (parse.go, expression.go);
//   - the nodes run (statement.go, operator.go, access.go) on values (value.go, text.go),
//     with filters (filter*.go), tests (test.go), methods (method*.go) and global
//     functions (global.go).
package jinja
