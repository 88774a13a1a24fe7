"""Sources → Kafka: one module a source, one scheduler, one publisher, one cursor."""
