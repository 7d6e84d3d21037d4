"""What pyinfra cannot ask a host by itself, as pyinfra facts."""
