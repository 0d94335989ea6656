"""The set of packages: how it is read, resolved, compared and given a version."""
