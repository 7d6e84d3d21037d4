"""From the manifest of what an instance shall hold to the instance that holds it."""
