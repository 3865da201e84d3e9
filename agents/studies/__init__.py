"""Committed studies: what the safety layer and the rules were measured to do."""
