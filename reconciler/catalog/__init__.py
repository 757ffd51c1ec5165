"""The catalog for people who look for a model: one document and one page, as pure strings. Equal inputs give equal bytes."""
