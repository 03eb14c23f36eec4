"""Process attestation by the kernel: socket peers, parents, and registered runs."""
