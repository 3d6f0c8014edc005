"""The shell around the core: passes, drivers, the tidy, the daemon."""
