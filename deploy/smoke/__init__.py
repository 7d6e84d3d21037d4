"""The journey of a guest through an instance, and its report."""
