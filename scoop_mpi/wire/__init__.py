"""How things travel: to bytes and back, over MPI or in memory."""
