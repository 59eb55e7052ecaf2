"""What a run will need, told before it starts: memory, steps, time, the mixture."""
