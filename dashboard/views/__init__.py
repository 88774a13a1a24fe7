"""The pages, one module each: what is asked of a reader, and how what was read is shown."""
