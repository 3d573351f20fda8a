"""Our programs beside a real control plane: installation, rights, leaders, faults."""
