"""The command line, `up`, doctor, and the documents."""
