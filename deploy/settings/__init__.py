"""The typed description of a host: every name, default and rule stands here and nowhere else."""
