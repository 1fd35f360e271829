"""AWS, and whatever answers in its place: clients, objects, the Jobs and Records tables, executions."""
