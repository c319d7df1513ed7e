"""The four scores of the data's quality."""
