"""The journal: facts about money, append-only, chained by hash. The truth that the state is folded from."""
