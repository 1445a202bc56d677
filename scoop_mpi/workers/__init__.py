"""What a worker decides: what runs next, what is said to the others."""
