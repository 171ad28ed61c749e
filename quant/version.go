package quant

// Version is the version of this module, as its release is tagged: v0.1.0. A
// program that was built from a release finds it in [runtime/debug.ReadBuildInfo],
// too; this is for one that writes into its output which library made it. Package
// checkpoint does so. Nothing that is read depends on it: each form has a version of
// its own.
const Version = "0.1.0"
