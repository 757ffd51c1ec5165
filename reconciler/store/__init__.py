"""The state: what the journal folds to, plus what may be looked up again, in SQLite under a kernel lock."""
