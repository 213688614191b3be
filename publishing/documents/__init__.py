"""What lies beside the data of a release, in words: card, changes, answers for assistants."""
