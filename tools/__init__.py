"""The `sixkit` command and the scripts of the project; installed as `sixkit_tools`."""
