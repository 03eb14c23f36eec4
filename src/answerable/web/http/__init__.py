"""HTTP: requests in, one route asked, answers out, with what protects both."""
