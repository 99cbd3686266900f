"""Restoration by a network that is fitted to one picture alone: the deep image prior and its quick relatives."""
