"""One net over the whole suite: no test may show a secret to anybody."""
