"""Every editor, for real: one list of scenarios, a driver for each editor, a real server, a fake endpoint."""
