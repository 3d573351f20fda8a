module zerogate.dev/tests/counting

go 1.24
