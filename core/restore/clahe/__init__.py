"""LB-CLAHE: contrast-limited adaptive equalisation of the lightness, its clip limit and tiles chosen by a trained regressor."""
