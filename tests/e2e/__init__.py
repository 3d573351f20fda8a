"""`zerogate up` (and, where a test is given an `engine`, a real API server) as a user runs it."""
