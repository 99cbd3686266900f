"""Film grain: measured, taken out, put in, matched; AV1 tables."""
