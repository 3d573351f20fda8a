"""A node whose containers are processes: what its agent decides.

In reading order:

`settings`: what the program around the agent decides about it.
`nodes`: the Node object and its status.
`capacity`: what fits on the node.
`images`: how an image is run as a process (the image table).
`environment`: what a process finds in its environment.
`launch`: what exactly is started.
`ports`: which ports pods get.
`listening`: where a process listens, and whether that is where it is asked.
`probing`: probes as declared, and what rows of answers mean.
`backoff`: when a container that ended is started again.
`containers`: what a container is in, told and restored.
`pod_status`: what a pod's status says.

Admitted here: what a kubelet decides from a pod, its settings and an instant. Nothing here knows the
controllers or the API's inside: the three meet in the objects alone.
"""
