"""What work is: a task, a map, a chunk; what has not begun; how long it takes."""
