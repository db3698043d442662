"""What the end-to-end suites share: starting adit, real servers, raw clients, certificates, names."""
