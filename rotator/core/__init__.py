"""What Rotator decides: pure functions over frozen values, standard library only."""
