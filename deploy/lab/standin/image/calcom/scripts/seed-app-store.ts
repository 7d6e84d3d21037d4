// Only the name counts: the stand-in's `npx` knows this path and runs its own seed.
