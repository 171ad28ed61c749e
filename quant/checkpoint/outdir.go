package checkpoint

// unfinishedName is the file that says that a directory is being replaced.
const unfinishedName = "bitmod-unfinished"
