"""One file per command: reads its arguments, calls the rooms, prints. Heavy imports stay inside the command."""
