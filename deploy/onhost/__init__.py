"""What runs on the host by itself, from one zipapp; standard library only."""
