"""What those that are compared are called."""

OURS = "Zerogate"
NGINX = "nginx"
GO = "Go"
DIRECT = "direct"
ONE_HOST = "one host"
ONE_WORKER = "one worker"
