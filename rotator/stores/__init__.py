"""Where credentials and the daemon's own documents are kept."""
