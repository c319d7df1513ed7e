"""The command `phongmay`: everything that runs on the server, one module of `commands` a verb."""
