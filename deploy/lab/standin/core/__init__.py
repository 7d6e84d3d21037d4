"""What an instance does with its rows, whatever the way it is asked."""
