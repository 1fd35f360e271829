"""fanfold: split a file that lands in S3, work on the pieces in parallel, fold the results."""

__version__ = "0.1.0"
