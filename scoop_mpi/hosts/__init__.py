"""Which hosts there are: in lists of hosts, and as a job scheduler has allocated them."""
