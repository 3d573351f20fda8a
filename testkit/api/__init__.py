"""The embedded API in one process: `world` (API and objects), `fake_api` (an API client without a server)."""
