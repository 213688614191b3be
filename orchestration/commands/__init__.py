"""What `sjostad` takes and prints: one module a subject, thin over what does the work."""
