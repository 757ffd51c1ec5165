"""Tests of the room pixazo/, against servers of bare sockets."""
