// Package jinja renders chat templates: the text that a model wants to see for a
// conversation, as the file tokenizer_config.json of the model describes it in the
// language of Python's package Jinja2.
//
// A template gives the text that transformers' apply_chat_template gives, or an error
// where that raises one. What templates of models do not use is left out and is an error:
// inheritance, imports, and methods that change a list or a dictionary.
//
// Templates come from strangers. A template is at most 1 MiB long and its blocks and
// expressions nest at most 100 deep; a rendering has a budget that every operation
// draws on for the time and the memory that it takes; calls of macros nest at most 50
// deep. What goes beyond that is an error.
//
// A template goes through these stages, a file or two for each:
//
//   - the lexer takes it apart into text and tags, and tags into tokens (lex.go);
//   - the parser makes nodes of the tokens (parse.go, expression.go);
//   - the nodes run (statement.go, operator.go, access.go) on values (value.go, text.go),
//     with filters (filter*.go), tests (test.go), methods (method*.go) and global
//     functions (global.go).
package jinja
