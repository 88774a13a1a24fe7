"""Rules over what is stored, and messages to Slack: one when something is late or silent, one when it is well again."""
