"""Disposable hosts on this machine, their offline images, and the stand-in."""
