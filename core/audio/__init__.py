"""Speech: mel, features for the lip-sync networks, clean-up, and reference sets for ports."""
