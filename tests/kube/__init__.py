"""The API client, informers, leases."""
