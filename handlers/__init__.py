"""Handlers: one thin file per Lambda function. Each hands its event to a step of the library."""
