"""The reference pages, the JSON Schemas and the man page: each made from the program, none written by hand."""
