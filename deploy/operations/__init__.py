"""What pyinfra cannot do to a host by itself, as pyinfra operations."""
