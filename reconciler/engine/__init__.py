"""Where money is spent: one attempt, one plan, polling, the end of a doubt. Over ports only, and nowhere else."""
