"""Lists of hosts: read, expanded, divided; what a job scheduler has given."""
