"""What a key can hold: the containers, and the table which tells Redis' name of each."""
