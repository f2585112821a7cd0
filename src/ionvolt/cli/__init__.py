"""The command line: people's words in, the other rooms' work out."""
