"""The parts of bench/run: who is measured, with what, and how it is told."""
