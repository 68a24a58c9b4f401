// Stands in for the bundled shim.
