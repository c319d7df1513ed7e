"""What only a school's gateway measures: other devices of the school, by child processes with their own libraries."""
