// Package release has the version of the module.
package release

// Version is the version of this module, as its release is tagged: v0.1.0. What the
// library writes names it, and nothing that is read depends on it: each form has a
// version of its own.
const Version = "0.1.0"
