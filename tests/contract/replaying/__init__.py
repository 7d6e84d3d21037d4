"""The parts of the replayer: reading recordings, starting servers, sending steps, comparing answers."""
