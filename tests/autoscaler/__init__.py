"""KPA's decisions as tables of histories; the autoscaler's loop in virtual time; the link over sockets."""
