"""Exchange adapters: what each exchange lets a program know and do about keys."""
