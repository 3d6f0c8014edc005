"""The chart's generated files: `python -m deploy.chart` writes schema and table of values."""
