"""Files of finished jobs: downloaded with limits, checked, recorded, checked again. Which jobs, and what is said of it, is decided by the commands."""
