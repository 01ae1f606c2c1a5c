"""The workbench: what runs on the engineer's own machine and is never deployed."""
