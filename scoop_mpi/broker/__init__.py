"""What rank 0 decides: who is brought together with whom; who defines a constant first."""
