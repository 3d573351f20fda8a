"""What the node agent asks of Linux: processes, ports and files, without the API.

In reading order:

`process`: one process, from its start to its exit code.
`proc`: what /proc tells about processes and sockets.
`records`: no orphans; what was started can be found again, also after a kill -9.
`code`: whether the files of a program have changed.
`logfiles`: where logs are, and how they are rotated.
`machine`: what the computer has, and which of its ports are free.

Admitted here: what would work the same without Kubernetes, but for an object's names in paths.
"""
