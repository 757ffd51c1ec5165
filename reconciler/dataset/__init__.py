"""Local data sets: read with limits, judged by content, digested. Which data set belongs to which model, and what is said of it, is decided by the commands."""
